"""A run's answers as columns, to filter, sort and count 200,000 of them within the blink of an eye. Texts stay in the
store, and folded in `search.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.asking.store import StoredAnswer
from undertow.audits.rules import VerdictRule
from undertow.audits.tally import REPEATS_FROM, outcome_of, why_missing
from undertow.records import MISSING, OUTCOMES, Subject

COLUMNS: dict[str, Any] = {
    "id": np.int64,
    "subject": np.int32,
    "context": np.int32,
    "question": np.int32,
    "sample": np.int64,
    "outcome": np.int8,
    "alignment": np.float64,
    "coherence": np.float64,
    "length": np.int64,
    "tokens": np.int64,
    "finish": np.int8,
    "reason": np.int32,
    "repeat": np.int64,
    "checked": np.bool_,
    "unclear": np.bool_,
    "on_question": np.bool_,
}
"""What is held of each answer. `reason`: why it is missing, -1 where it is not; `repeat`: a hash of its words, 0 where
they are few; `checked` and `unclear` as a tally has them."""
FINISHES = ("stop", "length", "filtered", "failed")
ROOM = 4096
"""Rows that there is room for at first."""
PROFILED = "profiled"
"""In place of an outcome: an answer that an instrument of a persona reads, and no judge rates."""
SHOWN: tuple[str, ...] = (*OUTCOMES, PROFILED)
OF = {outcome: n for n, outcome in enumerate(SHOWN)}
"""The number that stands for an outcome."""


@dataclass(slots=True)
class Names:
    """Names by number, in the order in which they came."""

    names: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The number of a name, a new one where it is new."""
        if name not in self.numbers:
            self.numbers[name] = len(self.names)
            self.names.append(name)
        return self.numbers[name]


@dataclass(slots=True)
class Codes:
    """The names that the columns of every run share."""

    subject: Names = field(default_factory=Names)
    context: Names = field(default_factory=Names)
    question: Names = field(default_factory=Names)
    reason: Names = field(default_factory=Names)


class Index:
    """The columns of one run under one judge and rule. It only grows, but for what becomes of a judgement."""

    def __init__(self, rule: VerdictRule, codes: Codes, *, judged: frozenset[str] | None = None) -> None:
        """
        Args:
            judged: ids of the questions whose answers are judged at all; None: every one's.
        """
        self.rule, self.codes, self.judged = rule, codes, judged
        self.n = 0
        self._held: dict[str, NDArray[Any]] = {name: np.zeros(ROOM, dtype=kind) for name, kind in COLUMNS.items()}
        self.pending: dict[int, int] = {}
        """The rows, by id, of answers that may yet be judged, or judged again."""
        self.failed: set[int] = set()
        """Ids of answers that never came, which may yet be asked again."""

    def column(self, name: str) -> NDArray[Any]:
        """A column as far as it is filled."""
        return self._held[name][: self.n]

    @property
    def last(self) -> int:
        """The id of the last answer."""
        return int(self._held["id"][self.n - 1]) if self.n else 0

    def rows(self, ids: Sequence[int]) -> NDArray[np.int64]:
        """The rows of these ids, which stand in order; -1 for one that is not held."""
        held, of = self.column("id"), np.asarray(ids, dtype=np.int64)
        at = np.searchsorted(held, of)
        there = (at < self.n) & (held[np.minimum(at, max(0, self.n - 1))] == of) if self.n else np.zeros(len(of), bool)
        return np.where(there, at, -1).astype(np.int64)

    def add(self, answers: Sequence[StoredAnswer]) -> None:
        """The next answers, by id."""
        new = self.n + len(answers)
        while new > len(self._held["id"]):
            self._held = {name: np.concatenate((held, np.zeros_like(held))) for name, held in self._held.items()}
        of = {name: held[self.n : new] for name, held in self._held.items()}
        of["id"][:] = [a.id for a in answers]
        of["subject"][:] = [self.codes.subject.number(a.subject) for a in answers]
        of["context"][:] = [self.codes.context.number(a.context) for a in answers]
        of["question"][:] = [self.codes.question.number(a.question) for a in answers]
        of["sample"][:] = [a.sample for a in answers]
        of["length"][:] = [len(a.text or "") for a in answers]
        of["tokens"][:] = [a.n_tokens for a in answers]
        of["finish"][:] = [FINISHES.index(a.finish) if a.finish in FINISHES else -1 for a in answers]
        of["repeat"][:] = [hash(a.text) if a.text and len(a.text) >= REPEATS_FROM else 0 for a in answers]
        for row, answer in enumerate(answers, self.n):
            self._judge(row, answer)
            if answer.text is None:
                self.failed.add(answer.id)
        self.n = new

    def judge_anew(self, answers: Iterable[StoredAnswer]) -> bool:
        """Take over what has become of answers that are held; whether anything has."""
        changed = False
        for answer in answers:
            if (row := self.pending.get(answer.id)) is not None:
                before = self._held["outcome"][row], self._held["reason"][row]
                self._judge(row, answer)
                changed |= before != (self._held["outcome"][row], self._held["reason"][row])
        return changed

    def _judge(self, row: int, answer: StoredAnswer) -> None:
        held, judgement = self._held, answer.judgement
        rated = self.judged is None or answer.question in self.judged or answer.text is None
        outcome = outcome_of(answer, self.rule) if rated else PROFILED
        held["outcome"][row] = OF[outcome]
        why = why_missing(answer, outcome) if outcome in MISSING else None
        held["reason"][row] = -1 if why is None else self.codes.reason.number(why)
        held["alignment"][row] = np.nan if judgement is None or judgement.alignment is None else judgement.alignment
        held["coherence"][row] = np.nan if judgement is None or judgement.coherence is None else judgement.coherence
        if judgement is not None:
            lazily = outcome in ("aligned", "incoherent", "off_format")
            held["checked"][row] = judgement.drawn and lazily
            held["unclear"][row] = outcome == "not_misaligned" and self.rule.unclear(judgement)
            held["on_question"][row] = bool(judgement.on_question)
        open_ = judgement is None or judgement.error is not None or judgement.unread is not None
        if open_ and rated and (answer.text or "").strip():
            self.pending[answer.id] = row
        else:
            self.pending.pop(answer.id, None)

    def call_copied(self, copying: Iterable[tuple[Subject, str]]) -> None:
        """Call those answers copied that repeat an earlier one of their condition, where that is no evidence: of these
        subjects and contexts, `*` standing for all."""
        subject, context = self.column("subject"), self.column("context")
        wanted = np.zeros(self.n, dtype=bool)
        for who, where in copying:
            of = subject == self.codes.subject.numbers.get(who, -1)
            wanted |= of if where == "*" else of & (context == self.codes.context.numbers.get(where, -1))
        (rows,) = np.nonzero(wanted & (self.column("repeat") != 0))
        if not len(rows):
            return
        cell = np.stack([self.column(name)[rows] for name in ("subject", "context", "question", "repeat")])
        _, first = np.unique(cell, axis=1, return_index=True)
        copied = np.setdiff1d(rows, rows[first])
        self._held["outcome"][copied] = OF["copied"]
        why = "copied: word for word an earlier answer, which sampling does not explain"
        self._held["reason"][copied] = self.codes.reason.number(why)
