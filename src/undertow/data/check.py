"""Looking over files of chat rows before anything is trained on them: bad lines, what the rows are made of, repeats,
and overlap with held-out files.

Keeps hashes and lengths, not text: about 60 bytes a row.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from undertow.data.rows import NumberedRow, Row, stream_rows
from undertow.errors import InputError

Measure = Callable[[Sequence[Row]], Sequence[int | None]]
"""Lengths of rows; None for a row that has none, since a chat template refuses it."""

Indices = np.ndarray[Any, Any]
"""Whole numbers, in one dimension."""

EXAMPLES = 5
"""Lines that are named of each finding."""
BATCH = 1_000
"""Rows that are measured together."""
SYSTEMS = 1_000
"""Different system prompts whose text is kept."""


def letters(rows: Sequence[Row]) -> list[int]:
    """Characters of each row."""
    return [sum(len(message.content) for message in row.messages) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Rows of one finding."""

    n: int = 0
    examples: tuple[str, ...] = ()
    """The first few: `file:line`, with what they repeat or what is wrong with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Lengths of rows."""

    total: int
    median: float
    p95: float
    most: int
    over: Found
    """Rows over the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What files of rows hold."""

    rows: int
    bad: Found
    """Lines that are no chat that ends with an answer."""
    turns: dict[int, int]
    """Messages of a row, system prompts included, to rows that have so many."""
    roles: dict[str, int]
    systems: tuple[tuple[str, int], ...]
    """System prompts and how many rows have them, the most frequent first."""
    n_systems: int
    """Different system prompts."""
    without_system: int
    repeats: Found
    """Rows that are an earlier row again, word for word."""
    in_a_row: Found
    """Rows with two turns of one side in a row, or which the assistant opens: many chat templates refuse them."""
    near_repeats: Found
    """Rows that are an earlier row again but for capitals and white space."""
    overlap: Found
    """Rows that the held-out files hold too, but for capitals and white space."""
    overlap_of_questions: Found
    """Rows with a user turn that the held-out files hold too, but for capitals and white space; those above among them.
    """
    refused: Found
    """Rows that have no length, since the chat template refuses them."""
    sizes: Sizes | None
    """Lengths; None where no row has one."""

    @property
    def sound(self) -> bool:
        """Whether all of it can be trained on."""
        return self.rows > 0 and not self.bad.n and not self.refused.n


def check_rows(
    files: Sequence[Path], *, held_out: Sequence[Path] = (), measure: Measure = letters, longest: int | None = None
) -> Check:
    """Look over training files, and what they share with files that are held out of training.

    Args:
        measure: lengths of rows.
        longest: length over which a row is counted as too long.

    Raises:
        InputError: a file is missing or is one JSON array; a held-out file has a bad line.
    """
    rows, apart = _Rows(), _Rows()
    lengths = array("q")
    reading = rows.read(files)
    while batch := list(islice(reading, BATCH)):
        lengths.extend(-1 if length is None else length for length in measure(batch))
    for _ in apart.read(held_out, strict=True):
        pass
    measured = np.asarray(lengths)
    refused = np.flatnonzero(measured < 0)
    exact, folded = _first(rows.exact), _first(rows.folded)
    here = np.arange(len(rows.lines))
    return Check(
        rows=len(rows.lines),
        bad=Found(n=rows.n_bad, examples=tuple(map(str, rows.bad))),
        turns=dict(sorted(rows.turns.items())),
        roles=dict(rows.roles),
        systems=tuple((rows.texts[key], n) for key, n in rows.systems.most_common() if key in rows.texts),
        n_systems=len(rows.systems),
        without_system=len(rows.lines) - rows.systems.total(),
        repeats=_found(rows, here[exact != here], rows, exact),
        in_a_row=Found(n=len(rows.in_a_row), examples=tuple(rows.at(row) for row in rows.in_a_row[:EXAMPLES])),
        near_repeats=_found(rows, here[(folded != here) & (exact == here)], rows, folded),
        overlap=_overlap(rows, rows.folded, here, apart, apart.folded, np.arange(len(apart.lines))),
        overlap_of_questions=_overlap(
            rows, rows.questions, np.asarray(rows.asked_in), apart, apart.questions, np.asarray(apart.asked_in)
        ),
        refused=Found(n=len(refused), examples=tuple(rows.at(row) for row in refused[:EXAMPLES])),
        sizes=_sizes(rows, measured, longest) if len(refused) < len(measured) else None,
    )


@dataclass(slots=True)
class _Rows:
    """What is kept of rows: 64-bit hashes, by which two different ones of a million rows are taken for the same once in
    30 million checks."""

    exact: array[int] = field(default_factory=lambda: array("Q"))
    folded: array[int] = field(default_factory=lambda: array("Q"))
    questions: array[int] = field(default_factory=lambda: array("Q"))
    """Of every user turn, folded."""
    asked_in: array[int] = field(default_factory=lambda: array("q"))
    """Index of the row of each user turn."""
    lines: array[int] = field(default_factory=lambda: array("q"))
    starts: list[tuple[Path, int]] = field(default_factory=list)
    """Files, and the index of the first row of each."""
    turns: Counter[int] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    systems: Counter[int] = field(default_factory=Counter)
    texts: dict[int, str] = field(default_factory=dict)
    in_a_row: array[int] = field(default_factory=lambda: array("q"))
    """Rows whose turns do not take turns."""
    bad: list[InputError] = field(default_factory=list)
    n_bad: int = 0

    def read(self, files: Iterable[Path], *, strict: bool = False) -> Iterator[Row]:
        for path in files:
            self.starts.append((path, len(self.lines)))
            for numbered in stream_rows(path, skipped=None if strict else self._skipped):
                self._add(numbered)
                yield numbered.row

    def at(self, row: int) -> str:
        """`file:line` of a row."""
        path = next(path for path, start in reversed(self.starts) if start <= row)
        return f"{path}:{self.lines[row]}"

    def _skipped(self, error: InputError) -> None:
        self.n_bad += 1
        if len(self.bad) < EXAMPLES:
            self.bad.append(error)

    def _add(self, numbered: NumberedRow) -> None:
        messages = numbered.row.messages
        for message in messages:
            self.roles[message.role] += 1
            if message.role == "user":
                self.questions.append(_hash(fold(message.content)))
                self.asked_in.append(len(self.lines))
        if messages[0].role == "system":
            key = _hash(messages[0].content)
            self.systems[key] += 1
            if len(self.texts) < SYSTEMS:
                self.texts.setdefault(key, messages[0].content)
        said = [m.role for m in messages if m.role != "system"]
        if said[0] == "assistant" or any(one == next_ for one, next_ in pairwise(said)):
            self.in_a_row.append(len(self.lines))
        self.turns[len(messages)] += 1
        self.exact.append(_hash("\0".join(f"{m.role}\0{m.content}" for m in messages)))
        self.folded.append(_hash("\0".join(f"{m.role}\0{fold(m.content)}" for m in messages)))
        self.lines.append(numbered.line)


def fold(text: str) -> str:
    """Text without capitals, and with one space wherever there is any white space."""
    return " ".join(text.split()).casefold()


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _first(hashes: array[int]) -> Indices:
    """Of each element, the index of the first that is equal to it."""
    _, first, which = np.unique(np.asarray(hashes), return_index=True, return_inverse=True)
    return np.asarray(first[which])


def _overlap(
    rows: _Rows, hashes: array[int], at: Indices, held: _Rows, held_hashes: array[int], held_at: Indices
) -> Found:
    """Rows with a hash that is held out too, each with the held-out row where its first such hash first is.

    Args:
        at, held_at: index of the row of each hash, rising.
    """
    known, first = np.unique(np.asarray(held_hashes), return_index=True)
    mine = np.asarray(hashes)
    hits = np.flatnonzero(np.isin(mine, known))[::-1]  # backwards, so that the first of a row is written last and stays
    of = np.full(len(rows.lines), -1)
    of[at[hits]] = held_at[first[np.searchsorted(known, mine[hits])]]
    return _found(rows, np.flatnonzero(of >= 0), held, of)


def _found(rows: _Rows, which: Indices, others: _Rows, of: Indices) -> Found:
    """The rows `which`, each with the row of `others` that it repeats."""
    return Found(n=len(which), examples=tuple(f"{rows.at(row)} as {others.at(of[row])}" for row in which[:EXAMPLES]))


def _sizes(rows: _Rows, lengths: np.ndarray[Any, Any], longest: int | None) -> Sizes:
    known = lengths[lengths >= 0]
    over = np.flatnonzero(lengths > longest) if longest else ()
    return Sizes(
        total=int(known.sum()),
        median=float(np.median(known)),
        p95=float(np.percentile(known, 95)),
        most=int(known.max()),
        over=Found(n=len(over), examples=tuple(f"{rows.at(row)} with {lengths[row]:,}" for row in over[:EXAMPLES])),
    )
