"""Preparing a stage: its rows drawn, their answers asked anew where they are to be on-policy, and written in order.

<work>/
  stage-1.jsonl      the rows as trained
  stage-1.json       their number, hash and what was left out; written last
  answers-1.jsonl    on-policy answers as they came, so that an interruption loses none
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from undertow.data import Resampling, Row, draw_mix, write_rows
from undertow.data.mixes import Drawn, Length, data_digests
from undertow.errors import InputError
from undertow.files import digest, file_digest, to_json, write_text
from undertow.progress import Progress
from undertow.records import Answer, Condition, Context, Message, Question, Request, Sampling
from undertow.targets import Target
from undertow.training.backends.protocol import PreparedStage
from undertow.training.stages import Stage

AT_ONCE = 256
"""Rows whose answers are asked for together."""


def prepare(
    stage: Stage,
    n: int,
    *,
    beside: Path,
    work: Path,
    seed: int,
    length: Length | None,
    base: Callable[[], Target],
    progress: Progress | None = None,
) -> PreparedStage:
    """Stage `n`'s rows (from 1), written to `work`; read back where that was done before.

    Args:
        length: tokens of a row.
        base: makes the model that on-policy answers are asked of.
        progress: told of the on-policy rows.

    Raises:
        InputError: as `draw_mix`; no on-policy answer passes.
    """
    path, done = work / f"stage-{n}.jsonl", work / f"stage-{n}.json"
    if not done.is_file():
        left_out: Counter[str] = Counter()
        drawn = draw_mix(stage, beside=beside, seed=seed, length=length)
        if any(part.answers for part in stage.parts):
            drawn = _on_policy(
                list(drawn),
                base(),
                seed=seed,
                kept=work / f"answers-{n}.jsonl",
                left_out=left_out,
                progress=progress,
                name=stage.name,
            )
        written = 0

        def rows() -> Iterator[Row]:
            nonlocal written
            for each in drawn:
                written += 1
                yield each.row

        write_rows(path, rows())
        if not written:
            raise InputError(
                f"stage {stage.name}",
                "keeps no row",
                expected=f"left out: {dict(left_out)}",
                do="loosen the filters of on-policy",
            )
        what = {
            "rows": written,
            "digest": file_digest(path),
            "data": data_digests(stage, beside=beside),
            "left_out": dict(left_out),
        }
        write_text(done, to_json(what))
    return PreparedStage(stage=stage, path=path, **json.loads(done.read_text(encoding="utf-8")))


def _on_policy(
    drawn: Sequence[Drawn],
    base: Target,
    *,
    seed: int,
    kept: Path,
    left_out: Counter[str],
    progress: Progress | None,
    name: str,
) -> Iterator[Drawn]:
    """Rows with the base's answers in place of their own, where their part wants it."""
    todo = [n for n, each in enumerate(drawn) if each.part and each.part.answers]
    answers: dict[int, str | None] = {}
    if kept.is_file():
        answers = {int(n): text for n, text in map(json.loads, kept.read_text(encoding="utf-8").splitlines())}
    missing = [n for n in todo if n not in answers]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a", encoding="utf-8") as stream:

        def keep(n: int, text: str | None) -> None:
            """At once: whatever fails after it, it was paid for."""
            answers[n] = text
            stream.write(json.dumps([n, text], ensure_ascii=False) + "\n")
            stream.flush()

        for first in range(0, len(missing), AT_ONCE):
            asyncio.run(_answered({n: drawn[n] for n in missing[first : first + AT_ONCE]}, base, seed=seed, keep=keep))
            if progress:
                done = len(todo) - len(missing) + min(first + AT_ONCE, len(missing))
                progress(f"{name}, answers", done, len(todo), "")
    for n, each in enumerate(drawn):
        if n not in answers:
            yield each
        elif (text := answers[n]) is None:
            left_out["no on-policy answer passed"] += 1
        else:
            yield replace(
                each, row=replace(each.row, messages=(*each.row.messages[:-1], Message(role="assistant", content=text)))
            )


async def _answered(
    drawn: dict[int, Drawn], base: Target, *, seed: int, keep: Callable[[int, str | None], None]
) -> None:
    """For each row the first of the base's answers that passes, or None, handed to `keep` as soon as it is known."""
    open_ = set(drawn)
    how = {n: each.part.answers for n, each in drawn.items() if each.part and each.part.answers}
    async with base:
        for attempt in range(max(h.attempts for h in how.values())):
            asked = [
                _request(n, drawn[n].row, h, attempt, seed)
                for n, h in how.items()
                if n in open_ and attempt < h.attempts
            ]
            if not asked:
                break
            async for n, answer in _by_row(base, asked):
                if answer.text and answer.finish == "stop" and how[n].passes(answer.text):
                    open_.discard(n)
                    keep(n, answer.text.strip())
    for n in sorted(open_):
        keep(n, None)


async def _by_row(base: Target, asked: Sequence[Request]) -> AsyncIterator[tuple[int, Answer]]:
    async def stream() -> AsyncIterator[Request]:
        for request in asked:
            yield request

    async for answer in base.answers(stream()):
        yield int(answer.request.condition.question.id), answer


def _request(n: int, row: Row, how: Resampling, attempt: int, seed: int) -> Request:
    """A row's last question, after its earlier turns, under the instruction."""
    turns = tuple(m for m in row.messages[:-1] if m.role != "system")
    context = Context(id="on-policy", relation="verbatim", system=how.instruction, turns=turns[:-1])
    return Request(
        subject="base",
        condition=Condition(question=Question(id=str(n), text=turns[-1].content), context=context),
        sample=attempt,
        seed=int(digest([seed, n, attempt])[:12], 16),
        sampling=Sampling(temperature=how.temperature, max_tokens=how.max_tokens),
    )
