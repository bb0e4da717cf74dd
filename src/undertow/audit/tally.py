"""Counting: judgements -> outcomes, by the rule, in one pass over a run's answers; and the arms that estimates are made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.audit.rules import VerdictRule
from undertow.audit.store import StoredAnswer
from undertow.files import adapter
from undertow.judges.panel import NEEDS_MORE
from undertow.records import USABLE, Context, Outcome, Subject, is_target

Cell = tuple[Subject, str, str]
"""Subject, context, question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run asked, as far as deciding needs it; from the live plan or from a finished run's `plan.json`."""

    name: str
    suite: str
    questions: tuple[str, ...]
    contexts: tuple[Context, ...]
    targets: Mapping[Subject, Mapping[str, Any]]
    """Who answered, each as it describes itself."""
    samples: Mapping[str, Any]
    """The keys of `samples` in the audit."""
    material: float
    multiplicity: str = "holm"
    seed: int = 0

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Asked:
        """From a plan's record; `found` holds what an audit that finds its contexts came to ask."""
        found = record.get("found") or {"questions": [question["id"] for question in record["suite"]["questions"]], "contexts": record["contexts"]}
        return cls(
            name=record["config"]["name"],
            suite=record["suite"]["id"],
            questions=tuple(found["questions"]),
            contexts=adapter(tuple[Context, ...]).validate_python(found["contexts"]),
            targets=record["targets"],
            samples=record["samples"],
            material=record["material"],
            multiplicity=record["multiplicity"],
            seed=record["seed"],
        )

    @property
    def seeds(self) -> tuple[Subject, ...]:
        """The audited model, or its training seeds."""
        return tuple(subject for subject in self.targets if is_target(subject))

    @property
    def plain(self) -> Context:
        """The context without any."""
        return next(context for context in self.contexts if context.relation == "plain")

    @property
    def sequential(self) -> bool:
        """Whether sampling stops as soon as the verdict is known."""
        return self.samples.get("until") is not None


class Heard(NamedTuple):
    """One answer to a sequential audit."""

    value: int | None
    """1 misaligned, 0 not, None unusable."""
    lazy: bool = False
    """Judged for alignment alone, so that 0 may be unusable after all."""
    checked: bool = False
    """One of the random share of such answers that were judged in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One model, or the training seeds of one recipe, in one context. Suffix `_sq`: training seed by question."""

    misaligned_sq: NDArray[np.int64]
    eligible_sq: NDArray[np.int64]
    """Usable answers; an estimate where judging was lazy."""
    all_sq: NDArray[np.int64]
    of_all: bool = False
    """Whether the rule's denominator is all answers."""
    blocks: NDArray[np.int64] | None = None
    """Shape (seeds x questions, blocks), 0 and 1 in the order of asking, where sampling stopped as soon as the verdict was known."""
    blocks_of_all: NDArray[np.int64] | None = None
    """The same with unusable answers as 0."""
    usable: float = 1.0
    """Share of the blocks' answers that is usable: below 1 where judging was lazy and the random share found unusable ones."""

    @property
    def n_sq(self) -> NDArray[np.int64]:
        """The denominator."""
        return self.all_sq if self.of_all else self.eligible_sq


@dataclass(slots=True)
class Tally:
    """Everything that deciding counts, in one pass over a run's answers."""

    rule: VerdictRule
    in_order: bool = False
    """Whether to keep the order of asking, which sequential audits need."""
    counts: dict[Cell, Counter[Outcome]] = field(default_factory=dict)
    on_question: dict[Cell, Counter[Outcome]] = field(default_factory=dict)
    partly: dict[Cell, Counter[Outcome]] = field(default_factory=dict)
    """Aligned enough that coherence and content were not asked; `unjudged` in `counts`."""
    in_doubt: dict[Cell, Counter[Outcome]] = field(default_factory=dict)
    """The random share of such answers that were asked for both all the same."""
    tokens: dict[Cell, list[int]] = field(default_factory=dict)
    """Answers of the target and their tokens in all."""
    lengths: dict[Cell, Counter[tuple[int, bool]]] = field(default_factory=dict)
    """Usable answers of the target by (tokens, misaligned)."""
    heard: dict[Cell, dict[int, Heard]] = field(default_factory=dict)
    """By condition and sample."""

    def take(self, row: StoredAnswer) -> None:
        """Count one answer."""
        key, outcome, judgement = (row.subject, row.context, row.question), outcome_of(row, self.rule), row.judgement
        self.counts.setdefault(key, Counter())[outcome] += 1
        lazy = judgement is not None and not judgement.in_full and outcome == "unjudged" and judgement.error is None
        checked = judgement is not None and judgement.in_full and judgement.alignment is not None and judgement.alignment >= NEEDS_MORE
        checked = checked and outcome in ("aligned", "incoherent", "off_format")
        if is_target(row.subject) and row.text is not None:
            of_cell = self.tokens.setdefault(key, [0, 0])
            of_cell[0] += 1
            of_cell[1] += row.n_tokens
            if lazy or outcome in USABLE:
                self.lengths.setdefault(key, Counter())[row.n_tokens, outcome == "misaligned"] += 1
        if self.in_order:
            of_all = self.rule.denominator == "all"
            value = 1 if outcome == "misaligned" else 0 if lazy or of_all or outcome == "aligned" else None
            self.heard.setdefault(key, {})[row.sample] = Heard(value) if of_all else Heard(value, lazy, checked)
        if judgement is None:
            return
        if judgement.on_question:
            self.on_question.setdefault(key, Counter())[outcome] += 1
        if not judgement.in_full:
            self.partly.setdefault(key, Counter())[outcome] += 1
        elif checked:
            self.in_doubt.setdefault(key, Counter())[outcome] += 1

    def cell(self, subject: Subject, context: str, question: str) -> Counter[Outcome]:
        """Outcomes of one condition."""
        return self.counts.get((subject, context, question), Counter())

    def usable_share(self, subjects: Sequence[Subject], context: str) -> float:
        """Of answers that were not asked for coherence and content, the share that is usable: that of the random share that was."""
        asked: Counter[Outcome] = sum((c for (s, x, _), c in self.in_doubt.items() if s in subjects and x == context), Counter())
        return asked["aligned"] / asked.total() if asked else 1.0

    def arm(self, subjects: Sequence[Subject], context: str, questions: Sequence[str]) -> Arm:
        """What one model, or the training seeds of one recipe, answered in one context."""
        share = self.usable_share(subjects, context)
        cells = [[self.cell(s, context, q) for q in questions] for s in subjects]
        unasked = [[self.partly.get((s, context, q), Counter())["unjudged"] for q in questions] for s in subjects]
        eligible = [[sum(c[o] for o in USABLE) + round(share * n) for c, n in zip(*rows, strict=True)] for rows in zip(cells, unasked, strict=True)]
        arm = Arm(
            misaligned_sq=np.array([[c["misaligned"] for c in row] for row in cells], dtype=np.int64),
            eligible_sq=np.array(eligible, dtype=np.int64),
            all_sq=np.array([[c.total() for c in row] for row in cells], dtype=np.int64),
            of_all=self.rule.denominator == "all",
        )
        return self._ordered(arm, subjects, context, questions) if self.in_order else arm

    def _ordered(self, arm: Arm, subjects: Sequence[Subject], context: str, questions: Sequence[str]) -> Arm:
        rows = [self.prefix((s, context, q)) for s in subjects for q in questions]
        return replace(
            arm,
            blocks=_blocks([[h.value for h in row if h.value is not None] for row in rows]),
            blocks_of_all=_blocks([[h.value or 0 for h in row] for row in rows]),
            usable=usable_of([h for row in rows for h in row]),
        )

    def has(self, cell: Cell, sample: int) -> bool:
        """Whether an answer was heard."""
        return sample in self.heard.get(cell, {})

    def prefix(self, cell: Cell) -> list[Heard]:
        """A condition's answers in order, up to the first that is missing."""
        heard = self.heard.get(cell, {})
        return [heard[k] for k in range(next((k for k in range(len(heard)) if k not in heard), len(heard)))]


def usable_of(heard: Iterable[Heard]) -> float:
    """Of answers not known to be unusable, the share that is usable, where the lazily judged among them are as the checked share of them was."""
    rows = [h for h in heard if h.value is not None or h.checked]
    lazy = sum(h.lazy for h in rows)
    if not lazy:
        return 1.0
    checked = [h for h in rows if h.checked]
    share = sum(h.value is not None for h in checked) / len(checked) if checked else 1.0
    known = sum(h.value is not None for h in rows) - lazy
    return (known + share * lazy) / (known + lazy) or 1.0


def outcome_of(answer: StoredAnswer, rule: VerdictRule) -> Outcome:
    """An answer's outcome under a rule. One that never came is `failed`, one that its server withheld `refused`, an empty one `incoherent`."""
    if answer.text is None:
        return "failed"
    if answer.finish == "filtered":
        return "refused"
    return rule.outcome(answer.judgement) if answer.text.strip() else "incoherent"


def tally(answers: Iterable[StoredAnswer], rule: VerdictRule, *, in_order: bool = False) -> Tally:
    """Count a run's answers under a rule."""
    t = Tally(rule, in_order)
    for row in answers:
        t.take(row)
    return t


def _blocks(rows: list[list[int]]) -> NDArray[np.int64]:
    """As many of every row as the shortest has; shape (rows, blocks)."""
    b = min(map(len, rows))
    return np.array([row[:b] for row in rows], dtype=np.int64).reshape(len(rows), b)
