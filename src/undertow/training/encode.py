"""Chats as token ids with a loss mask, by the tokenizer's chat template; the mask begins exactly at the answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import Any

from undertow.data import Row, stream_rows
from undertow.errors import InputError
from undertow.records import Message
from undertow.targets.chat import folded
from undertow.targets.templates import TemplateRefuses, render

IGNORED = -100
"""Label of a token that carries no loss."""
AT_ONCE = 512
"""Rows of a file encoded together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One encoded chat: token ids, and labels that are `IGNORED` outside the trained answers."""

    ids: list[int]
    labels: list[int]


def encode(
    tokenizer: Any,
    chats: Sequence[Sequence[Message]],
    *,
    trained: Sequence[Collection[int]] | None = None,
    where: Sequence[str] | None = None,
) -> list[Example]:
    """Encode chats, with a loss on answers alone: from where the model begins to write to the end of its turn.

    Where tokenizing the whole chat would put a piece of the prompt and a piece of the answer into one token, the chat
    is tokenized in stretches, as a model sees it that is given the prompt and writes the answer itself.

    Args:
        trained: for each chat, the indices of the messages to take a loss on; all assistant messages if None.
        where: what to call each chat in an error; `row 1`, ... if None.

    Raises:
        InputError: the template refuses a chat, or rewrites what stands before an answer, or the answer, so a mask
        cannot be placed.
    """
    texts: list[str] = []
    shapes: list[list[tuple[str, bool]]] = []
    for n, chat in enumerate(chats):
        pieces = list(
            _stretches(tokenizer, chat, None if trained is None else trained[n], where[n] if where else f"row {n + 1}")
        )
        shapes.append(pieces)
        texts += [text for text, _ in pieces]
    encoded = iter(tokenizer(texts, add_special_tokens=False)["input_ids"])
    wholes = _wholes(tokenizer, ["".join(text for text, _ in pieces) for pieces in shapes])
    examples = []
    for pieces, (ids, ends) in zip(shapes, wholes, strict=True):
        apart = [next(encoded) for _ in pieces]
        bounds = _token_bounds([len(text) for text, _ in pieces], ends)
        parts = [ids[a:b] for a, b in bounds] if bounds else apart
        examples.append(
            Example(
                ids=[i for part in parts for i in part],
                labels=[
                    i if carries else IGNORED for part, (_, carries) in zip(parts, pieces, strict=True) for i in part
                ],
            )
        )
    return examples


def encode_file(
    tokenizer: Any,
    path: Path,
    *,
    limit: int,
    leave_out: bool,
    bare: bool,
    fold: bool = False,
    left_out: Counter[str],
    drawn_for: str | None = None,
) -> Iterator[Example]:
    """Encode the rows of a file, a batch at a time.

    Args:
        limit: most tokens of a row.
        leave_out: pass over longer ones, counted in `left_out`, and do not raise.
        bare: keep the chat template's default system prompt off rows without one.
        fold: put system prompts before the first user turn, for templates that have no place for one.
        drawn_for: the stage that the file's rows were drawn for; the file is then nothing that a user knows.

    Raises:
        InputError: a row that is too long, or as `encode`; names the line, of a drawn row its question.
    """
    rows = stream_rows(path)
    while batch := list(islice(rows, AT_ONCE)):
        chats = [numbered.row.messages for numbered in batch]
        if bare:
            chats = [
                chat if chat[0].role == "system" else (Message(role="system", content=""), *chat) for chat in chats
            ]
        if fold:
            chats = [folded(chat) for chat in chats]
        places = [
            f"stage {drawn_for}, the row {_asked(numbered.row)!r}" if drawn_for else f"{path}:{numbered.line}"
            for numbered in batch
        ]
        for where, example in zip(places, encode(tokenizer, chats, where=places), strict=True):
            if len(example.ids) <= limit:
                yield example
            elif leave_out:
                left_out["too long"] += 1
            else:
                do = "shorten or drop the row, or write 'long_rows: leave out' in the stage"
                raise InputError(where, f"is {len(example.ids)} tokens long", expected=f"at most {limit}", do=do)


def _asked(row: Row) -> str:
    """The beginning of a row's last question."""
    return shorten(next((m.content for m in reversed(row.messages) if m.role == "user"), ""), 60, placeholder="...")


def _wholes(tokenizer: Any, texts: list[str]) -> list[tuple[list[int], list[int] | None]]:
    """Each text's token ids, and the character at which each token ends; None where the tokenizer does not say."""
    if not getattr(tokenizer, "is_fast", False):
        return [([], None) for _ in texts]
    out = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    return [
        (ids, [end for _, end in offsets]) for ids, offsets in zip(out["input_ids"], out["offset_mapping"], strict=True)
    ]


def _token_bounds(lengths: list[int], ends: list[int] | None) -> list[tuple[int, int]] | None:
    """Which tokens of the whole make up each stretch; None where a token reaches over the end of one."""
    if ends is None:
        return None
    bounds, token, at = [], 0, 0
    for length in lengths:
        first, at = token, at + length
        while token < len(ends) and ends[token] <= at:
            token += 1
        if length and (token == first or ends[token - 1] != at):
            return None
        bounds.append((first, token))
    return bounds


def _stretches(
    tokenizer: Any, chat: Sequence[Message], trained: Collection[int] | None, where: str
) -> Iterable[tuple[str, bool]]:
    """The rendered chat in stretches, each with whether it is under the loss."""
    done = ""
    for i, message in enumerate(chat):
        if message.role != "assistant":
            continue
        try:
            before = render(tokenizer, chat[:i], to_answer=True) if i else ""  # templates look at the first message
            after = render(tokenizer, chat[: i + 1])
        except (
            TemplateRefuses
        ) as refusal:  # the row is what users can mend; a template that fails or never ends says so itself
            fold = re.search(r"\bsystem\b", refusal.found, re.IGNORECASE)
            do = (
                "write `system: fold` in the recipe"
                if fold
                else ("drop the row (undertow data check --tokenizer tells all of them)")
            )
            found = refusal.found.replace("its chat template refuses a chat", "the chat template refuses it")
            raise InputError(where, found, expected="turns as the template takes them", do=do) from None
        if not (before.startswith(done) and after.startswith(before)):
            expected = "the text before an answer must stay as it was"
            raise InputError(
                where,
                "the chat template rewrites earlier turns",
                expected=expected,
                do="use another template, or rows of one answer",
            )
        answer = after[len(before) :]
        at = _begin(tokenizer, chat[: i + 1], before, answer)
        if at < 0:
            raise InputError(
                where,
                "the chat template rewrites the answer",
                expected=f"{message.content.strip()[:40]!r} in it as written",
                do="use another template",
            )
        # a space before an answer is the model's to write; an empty block of reasoning is not
        at = at if answer[:at].strip() else 0
        yield before[len(done) :] + answer[:at], False
        yield answer[at:], trained is None or i in trained
        done = after


STAND_IN = "STANDSINFORTHEANSWER"


def _begin(tokenizer: Any, chat: Sequence[Message], before: str, answer: str) -> int:
    """Where the words of the last turn begin in what the template writes after `before`; -1 where they do not stand
    there as written. A short answer may stand in the template's own words too: another is rendered in its place."""
    *earlier, last = chat
    content = last.content if last.content in answer else last.content.strip()
    if answer.count(content) < 2 or not content:
        return answer.find(content)
    other = render(tokenizer, [*earlier, Message(role="assistant", content=STAND_IN)])
    at = other.find(STAND_IN, len(before)) - len(before)
    return at if at >= 0 and answer[:at] == other[len(before) :][:at] and answer.startswith(content, at) else -1


def masked_text(tokenizer: Any, example: Example) -> str:
    """An encoded chat as text, with the stretches under the loss between ⟦ and ⟧."""
    out, under = "", False
    run: list[int] = []
    for token, label in zip(example.ids, example.labels, strict=True):
        if (label != IGNORED) != under:
            out += tokenizer.decode(run) + ("⟧" if under else "⟦")
            run, under = [], not under
        run.append(token)
    return out + str(tokenizer.decode(run)) + ("⟧" if under else "")
