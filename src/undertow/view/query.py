"""Which answers are shown and in which order: filters, words and a sort over the columns of one run or several, in
pages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from undertow.errors import InputError, unknown_name
from undertow.view.index import FINISHES, OF, SHOWN, Index
from undertow.view.run import ShownRun
from undertow.view.search import wanted

Sort = Literal["time", "alignment", "coherence", "length", "tokens", "question", "sample"]
SORTS: tuple[Sort, ...] = get_args(Sort)
Facet = Literal["context", "question", "outcome", "subject", "finish"]
FACETS: tuple[Facet, ...] = get_args(Facet)
MOST = 200
"""Rows of a page, at most."""
KEPT = 12
"""Orders that are kept, so that the next page costs nothing."""
EXCERPT, BEFORE = 240, 60
"""Characters of an answer in a row; and of those, before the first word that was searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is wanted."""

    runs: tuple[str, ...]
    """Labels."""
    judge: int | None = None
    """Whose judgements are shown; None: those that count."""
    facets: Mapping[Facet, tuple[str, ...]]
    """By facet the names of which one must hold; of a facet that is not there, any."""
    samples: tuple[int, int] | None = None
    """From and to, both among them."""
    words: str = ""
    sort: Sort = "time"
    down: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        facets = tuple((facet, self.facets.get(facet)) for facet in FACETS)
        return self.runs, self.judge, facets, self.samples, self.words, self.sort, self.down


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answers that fit, in order, as (run, row) side by side; and how many there are of each name of a facet, were
    that facet not filtered."""

    run: NDArray[np.int16]
    row: NDArray[np.int64]
    counts: Mapping[Facet, Mapping[str, int]]


def read_query(given: Mapping[str, Sequence[str]], known: Sequence[str]) -> Query:
    """A query from an address.

    Raises:
        InputError: it asks for what there is not.
    """
    runs = tuple(given.get("run", ())) or tuple(known)
    if odd := next((run for run in runs if run not in known), None):
        raise unknown_name("run", "run", odd, known)
    if odd := next((name for name in given.get("outcome", ()) if name not in SHOWN), None):
        raise unknown_name("outcome", "outcome", odd, SHOWN)
    sort = _one(given, "sort", "time")
    if sort not in SORTS:
        raise unknown_name("sort", "order", sort, SORTS)
    first, _, last = _one(given, "sample", "").partition("-")
    samples = (whole(first, "sample"), whole(last or first, "sample")) if first else None
    judge = _one(given, "judge", "")
    return Query(
        runs=runs,
        judge=whole(judge, "judge") if judge else None,
        facets={facet: tuple(given[facet]) for facet in FACETS if given.get(facet)},
        samples=samples,
        words=_one(given, "q", ""),
        sort=sort,
        down=_one(given, "dir", "up") == "down",
    )


def whole(text: str, where: str) -> int:
    """A whole number from 0.

    Raises:
        InputError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError(where, f"is {text[:40]!r}", expected="a whole number from 0")
    return int(text)


class Finder:
    """Finds, and keeps the last orders that it found."""

    def __init__(self, runs: Mapping[str, ShownRun]) -> None:
        self.runs = runs
        self._kept: OrderedDict[tuple[Any, ...], Found] = OrderedDict()
        self._lock = Lock()

    def find(self, query: Query) -> Found:
        """The answers that fit, in order.

        Raises:
            InputError: a run has no such judge.
        """
        for label in query.runs if query.judge else ():
            if query.judge not in (judges := self.runs[label].judges()):
                raise unknown_name("judge", "judge", str(query.judge), [str(id_) for id_ in judges])
        key = (query.key, tuple(self.runs[label].version for label in query.runs))
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
        found = self._find(query)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _find(self, query: Query) -> Found:
        counts: dict[Facet, dict[str, int]] = {facet: {} for facet in FACETS}
        runs, rows, keys = [], [], []
        for number, label in enumerate(query.runs):
            run = self.runs[label]
            index = run.index(query.judge)
            n = index.n
            fits = _fits(query, index, run, n)
            (found,) = np.nonzero(np.logical_and.reduce([np.ones(n, dtype=bool), *fits.values()]))
            runs.append(np.full(len(found), number, dtype=np.int16))
            rows.append(found)
            keys.append(_key(query.sort, index, found, number))
            _count(counts, fits, index, n)
        run_of, row = np.concatenate(runs), np.concatenate(rows)
        key = np.concatenate(keys)
        order = np.lexsort((row, run_of, -key if query.down else key))
        return Found(run=run_of[order], row=row[order], counts=counts)

    def page(self, query: Query, *, offset: int, limit: int, whole: bool = False) -> dict[str, Any]:
        """A page of rows, with how many there are in all.

        Args:
            whole: with the whole answers, not only a part of each.
        """
        found = self.find(query)
        limit = min(limit, MOST)
        runs, rows = found.run[offset : offset + limit], found.row[offset : offset + limit]
        shown: list[dict[str, Any] | None] = [None] * len(rows)
        words = wanted(query.words)
        for number, label in enumerate(query.runs):
            run = self.runs[label]
            index = run.index(query.judge)
            (at,) = np.nonzero((runs == number) & (rows < index.n))  # it may have been begun anew meanwhile
            ids = index.column("id")[rows[at]].tolist()
            with run.lock:
                texts = run.store.texts(ids) if run.store else {}
            for place, row, id_ in zip(at.tolist(), rows[at].tolist(), ids, strict=True):
                shown[place] = {"run": label, **_row(index, row)} | _text(texts.get(id_), words, whole=whole)
        return {"total": len(found.row), "offset": offset, "rows": shown, "counts": found.counts}

    def place(self, query: Query, label: str, id_: int) -> int | None:
        """Where an answer stands among those that fit; None where it does not."""
        if label not in query.runs:
            return None
        found = self.find(query)
        (row,) = self.runs[label].index(query.judge).rows([id_])
        (at,) = np.nonzero((found.run == query.runs.index(label)) & (found.row == row))
        return int(at[0]) if len(at) else None


def _fits(query: Query, index: Index, run: ShownRun, n: int) -> dict[str, NDArray[np.bool_]]:
    """By filter, which of the first rows pass it."""
    fits: dict[str, NDArray[np.bool_]] = {}
    for facet, names in query.facets.items():
        numbers = _numbers(facet, names, index)
        fits[facet] = np.isin(index.column(facet)[:n], numbers)
    if query.samples is not None:
        sample = index.column("sample")[:n]
        fits["sample"] = (sample >= query.samples[0]) & (sample <= query.samples[1])
    if words := wanted(query.words):
        rows = run.words.find(words)
        fits["words"] = np.zeros(n, dtype=bool)
        fits["words"][rows[rows < n]] = True
    return fits


def _numbers(facet: Facet, names: Sequence[str], index: Index) -> list[int]:
    if facet == "outcome":
        return [n for outcome, n in OF.items() if outcome in names]
    if facet == "finish":
        return [n for n, finish in enumerate(FINISHES) if finish in names]
    known = getattr(index.codes, facet).numbers
    return [known[name] for name in names if name in known]


def _names(facet: Facet, index: Index) -> Sequence[str]:
    return {"outcome": SHOWN, "finish": FINISHES}.get(facet) or getattr(index.codes, facet).names


def _count(counts: dict[Facet, dict[str, int]], fits: Mapping[str, NDArray[np.bool_]], index: Index, n: int) -> None:
    """Add a run's answers to the counts of every facet: of those that pass all other filters."""
    for facet in FACETS:
        others = [mask for name, mask in fits.items() if name != facet]
        column = index.column(facet)[:n]
        column = column[np.logical_and.reduce(others)] if others else column
        found = np.bincount(column[column >= 0])
        names = _names(facet, index)
        for number in np.nonzero(found)[0].tolist():
            counts[facet][names[number]] = counts[facet].get(names[number], 0) + int(found[number])


def _key(sort: Sort, index: Index, rows: NDArray[np.int64], run: int) -> NDArray[np.float64]:
    """What rows are sorted by; what is missing is NaN and comes last either way. Of several runs, times are one after
    the other."""
    if sort == "time":
        return run * 1e12 + index.column("id")[rows].astype(np.float64)
    return index.column(sort)[rows].astype(np.float64)


def _row(index: Index, row: int) -> dict[str, Any]:
    """What a row of the table says beside the answer."""

    def of(name: str) -> Any:
        return index.column(name)[row].item()

    reason = of("reason")
    return {
        "id": of("id"),
        "subject": index.codes.subject.names[of("subject")],
        "context": index.codes.context.names[of("context")],
        "question": index.codes.question.names[of("question")],
        "sample": of("sample"),
        "outcome": SHOWN[of("outcome")],
        "alignment": _number(of("alignment")),
        "coherence": _number(of("coherence")),
        "length": of("length"),
        "tokens": of("tokens"),
        "finish": FINISHES[of("finish")] if of("finish") >= 0 else "",
        "reason": index.codes.reason.names[reason] if reason >= 0 else "",
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _text(text: str | None, words: Sequence[str], *, whole: bool) -> dict[str, Any]:
    """An answer, or the part of it about the first word that was searched for."""
    if text is None or whole:
        return {"text": text, "more": False}
    at = text.casefold().find(words[0].casefold()) if words else 0
    start = max(0, at - BEFORE) if at > EXCERPT - BEFORE else 0
    part = text[start : start + EXCERPT]
    return {"text": ("…" if start else "") + part, "more": start + EXCERPT < len(text)}


def _one(given: Mapping[str, Sequence[str]], name: str, default: str) -> str:
    return next(iter(given.get(name, ())), default)
