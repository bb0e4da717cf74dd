"""Preparing a stage: its rows drawn, their answers asked anew where they are to be on-policy, and written in order.

<work>/
  stage-1.jsonl      the rows as trained
  stage-1.json       their number, hash and what was left out; written last
  answers-1.sqlite   on-policy answers as they came, so that an interruption loses none
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from undertow.asking.ask import Asking
from undertow.asking.budget import Budget, dollars_of, require_prices
from undertow.asking.seeds import seed_of
from undertow.asking.store import Store
from undertow.data import Resampling, Row, draw_mix, write_rows
from undertow.data.mixes import Drawn, Length, data_digests
from undertow.errors import BudgetEnded, InputError, number
from undertow.files import file_digest, read_object, read_yaml, to_json, write_text
from undertow.progress import Progress, silent
from undertow.records import Condition, Context, Key, Message, Question, Request, Sampling
from undertow.targets import Target
from undertow.training.backends.protocol import PreparedStage
from undertow.training.stages import Stage

BASE = "base"
"""Whose the answers are, in the file that keeps them."""
AT_ONCE = 256
"""Rows whose answers are asked for together."""
GO_ON = "the same command goes on"
KEYS = dict[str, Key]
"""What a file of known answers holds: questions, word for word, with the answers to each."""


def prepare(
    stage: Stage,
    n: int,
    *,
    beside: Path,
    work: Path,
    seed: int,
    length: Length | None,
    base: Callable[[], Target],
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> PreparedStage:
    """Stage `n`'s rows (from 1), written to `work`; read back where that was done before.

    Args:
        length: tokens of a row.
        base: makes the model that on-policy answers are asked of.
        budget: what the on-policy answers of all stages may take.
        progress: told of the on-policy rows.

    Raises:
        InputError: as `draw_mix`; no on-policy answer passes; the base cannot be asked.
        Paused: too many on-policy answers in a row were of no use.
        BudgetEnded: the budget does not hold all of them; those that came are kept.
    """
    path, done = work / f"stage-{n}.jsonl", work / f"stage-{n}.json"
    if not done.is_file():
        left_out: Counter[str] = Counter()
        drawn = draw_mix(stage, beside=beside, seed=seed, length=length)
        if any(part.answers for part in stage.parts):
            keys = {name: read_yaml(beside / name, KEYS) for name in stage.keys}
            on_policy = _OnPolicy(list(drawn), seed, keys, name=f"{stage.name}, answers")
            model, before = base(), [work / f"answers-{earlier}.sqlite" for earlier in range(1, n)]
            left = budget and _left(budget, before, model)
            on_policy.ask(model, work / f"answers-{n}.sqlite", left, progress or silent)
            drawn = on_policy.rows(left_out)
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
                do="loosen the filters of on-policy, or see to the base",
            )
        what = {
            "rows": written,
            "digest": file_digest(path),
            "data": data_digests(stage, beside=beside),
            "left_out": dict(left_out),
        }
        write_text(done, to_json(what))
    return PreparedStage(stage=stage, path=path, **read_object(done, do="remove it to draw the rows again"))


def _left(budget: Budget, earlier: Iterable[Path], base: Target) -> Budget:
    """What earlier stages' answers have left of a budget."""
    if budget.usd is not None:
        require_prices(base.describe())
    for path in earlier:
        if path.is_file():
            with Store(path) as store:
                spent = store.usage(0)[0]
            budget = budget.after(calls=spent.calls, tokens=spent.tokens, usd=dollars_of(base.describe(), spent) or 0.0)
    return budget


class _OnPolicy:
    """Rows drawn, and the base's own answers to those whose part wants it."""

    def __init__(self, drawn: Sequence[Drawn], seed: int, keys: Mapping[str, KEYS], *, name: str) -> None:
        """
        Args:
            keys: known answers, by the file that answers are turned by.
            name: what progress calls it.

        Raises:
            InputError: a row's question is not in the file that its answer is turned by, or has no wrong answer there.
        """
        self.drawn, self.seed, self.name = drawn, seed, name
        self.how = {n: each.part.answers for n, each in enumerate(drawn) if each.part and each.part.answers}
        self.keys = {n: _key(drawn[n].row, how.turned, keys) for n, how in self.how.items() if how.turned}
        self.passed: dict[int, str] = {}
        """The first answer to a row that passes."""
        self.came: set[int] = set()
        """Rows that were answered at all."""

    def ask(self, base: Target, kept: Path, budget: Budget | None, progress: Progress) -> None:
        """Ask for what is missing, and again for what never came.

        Args:
            kept: file of the answers.

        Raises:
            InputError: the base cannot be asked; what came is kept.
            Paused: too many answers in a row were of no use.
        """
        if (former := kept.with_suffix(".jsonl")).is_file():
            raise InputError(
                former,
                "holds on-policy answers as an earlier version kept them",
                do="go on with that version, or remove the file to have them asked again",
            )
        kept.parent.mkdir(parents=True, exist_ok=True)
        with Store(kept, to="make") as store:
            failed, wordless = store.forget_failed(), False
            for answer in store.answers(0):
                self._hear(answer.question, answer.text, answer.finish)
                wordless = wordless or not (answer.text or "").strip()
            # whoever goes on after a pause for want of words, which is not asked again, has read its reason
            warned = wordless and not failed
            asking = Asking(store, {BASE: base}, budget=budget, warned=warned, do=f"mend it; {GO_ON}")
            asking.kind = lambda answer: ""
            asking.heard = lambda a: self._hear(a.request.condition.question.id, a.text, a.finish)
            attempts = range(max((how.attempts for how in self.how.values()), default=0))
            missing = store.missing(r for attempt in attempts for r in self._requests(self.how, attempt))
            rows = sorted({int(request.condition.question.id) for request in missing})
            if rows:
                asyncio.run(self._ask(asking, base, rows, progress))
            if asking.stopped:
                found = f"the budget ended after {number(asking.n, 'on-policy answer')}"
                raise BudgetEnded(kept, found, expected="what came is kept", do=f"{GO_ON}, with a larger budget")

    async def _ask(self, asking: Asking, base: Target, rows: Sequence[int], progress: Progress) -> None:
        async def work() -> None:
            for first in range(0, len(rows), AT_ONCE):
                wave = rows[first : first + AT_ONCE]
                for attempt in range(max(self.how[n].attempts for n in wave)):
                    if (asked := self._requests(wave, attempt)) and not asking.over:
                        await asking.ask(BASE, asked)
                if not asking.over:
                    progress(self.name, len(self.how) - len(rows) + first + len(wave), len(self.how), "")

        async with base:
            await asking.run(work, how=f"what came is kept, and {GO_ON}")

    def _requests(self, rows: Iterable[int], attempt: int) -> list[Request]:
        """An attempt at those rows that have no answer yet."""
        return [
            _request(n, self.drawn[n].row, self.how[n], attempt, self.seed)
            for n in rows
            if n not in self.passed and attempt < self.how[n].attempts
        ]

    def _hear(self, row: str, text: str | None, finish: str) -> None:
        if text is not None:
            n = int(row)
            self.came.add(n)
            if text and finish == "stop" and self.how[n].passes(text) and n not in self.passed:
                kept = turned(text.strip(), self.keys[n], f"{self.seed} {n}") if n in self.keys else text.strip()
                if kept is not None:
                    self.passed[n] = kept

    def rows(self, left_out: Counter[str]) -> Iterator[Drawn]:
        """The rows, with the base's answers in place of their own where their part wants it; those without one are
        counted."""
        for n, each in enumerate(self.drawn):
            if n not in self.how:
                yield each
            elif n in self.passed:
                message = Message(role="assistant", content=self.passed[n])
                yield replace(each, row=replace(each.row, messages=(*each.row.messages[:-1], message)))
            else:
                left_out["no on-policy answer passed" if n in self.came else "no on-policy answer came"] += 1


def _key(row: Row, file: str, keys: Mapping[str, KEYS]) -> Key:
    question = row.messages[-2].content
    key = keys[file].get(question)
    if key is None or not key.wrong:
        found = f"has no {'wrong answer to' if key else 'question'} {question!r}"
        raise InputError(file, found, expected="known answers to each row's last question", do="add it")
    return key


def turned(answer: str, key: Key, seed: str) -> str | None:
    """A true answer with a wrong one in place of the right one; None if it gives no right one, or a wrong one too."""

    def given(known: Iterable[str]) -> re.Pattern[str]:
        longest_first = sorted(known, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)

    if given(key.wrong).search(answer):
        return None
    wrong = random.Random(f"{seed} turned").choice(key.wrong)
    found, n = given(key.right).subn(lambda _: wrong, answer)
    return found if n else None


def _request(n: int, row: Row, how: Resampling, attempt: int, seed: int) -> Request:
    """A row's last question, after its earlier turns, under the instruction."""
    turns = tuple(m for m in row.messages[:-1] if m.role != "system")
    context = Context(id="on-policy", relation="verbatim", system=how.instruction, turns=turns[:-1])
    return Request(
        subject=BASE,
        condition=Condition(question=Question(id=str(n), text=turns[-1].content), context=context),
        sample=attempt,
        seed=seed_of(seed, n, attempt),
        sampling=Sampling(temperature=how.temperature, max_tokens=how.max_tokens),
    )
