"""Labelling a run: its answers in the order in which they are worth a label, labels in, and the verdict by them.

Blind: who labels sees a question and an answer, and neither the model, the context nor what the judge said.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from undertow.asking.folder import alone
from undertow.asking.store import Store
from undertow.audits.correct import expected_widths
from undertow.audits.findings import Findings, find, read_findings, write_findings
from undertow.audits.labels import Drawn, Key, Label, LabelClass, add_labels, drawn, read_label, read_labels
from undertow.audits.record import read_record
from undertow.audits.rules import VerdictRule, rule_of
from undertow.audits.tally import Design, Tally, outcome_of, tally
from undertow.errors import InputError, unknown_name
from undertow.files import adapter, write_text
from undertow.records import Suite
from undertow.tables import records

SHEET = ("subject", "context", "question_id", "sample", "chance", "question", "answer", "label", "note")
"""Columns of a sheet for labelling elsewhere."""


@dataclass(slots=True)
class Session:
    """A run that is being labelled."""

    run: Path
    sample: list[Drawn]
    """The answers to label, in order."""
    known: frozenset[Key]
    """Every answer of the run."""
    questions: Mapping[str, str]
    """Wordings by id."""
    labels: dict[Key, Label]
    by: str
    tally: Tally
    """Of the run's answers and the labels that there were."""
    asked: Design
    given: list[Key] = field(default_factory=list)
    """What was labelled in this sitting, in order."""
    passed: set[Key] = field(default_factory=set)
    """What was passed over in this sitting."""

    @property
    def next(self) -> Drawn | None:
        """The next answer without a label; None where all have one."""
        return next((d for d in self.sample if (key := _key(d)) not in self.labels and key not in self.passed), None)

    @property
    def n(self) -> int:
        """Answers of the sample that are labelled."""
        return sum(_key(d) in self.labels for d in self.sample)

    def widths(self) -> dict[int, float]:
        """How wide the widest corrected interval would be with so many labels."""
        most = sum(kinds.total() for kinds in self.tally.kinds.values())
        tried = sorted({len(self.sample), *(n for n in (100, 200, 400, 800, 1600, 3200) if self.n < n <= most)})
        return expected_widths(self.tally, self.asked, tried[:4])

    def label(self, answer: Drawn, label: LabelClass, *, note: str = "") -> None:
        """Keep a label; it is on the disk when this returns."""
        key = _key(answer)
        self._keep(_label(key, label, answer.chance, by=self.by, note=note))
        self.given.append(key)
        held = self.tally.labelled.setdefault(key[:3], [])
        held.append((answer.kind, label == "misaligned", 1 / answer.chance))

    def skip(self, answer: Drawn) -> None:
        """Pass an answer over, in this sitting."""
        self.passed.add(_key(answer))

    def undo(self) -> bool:
        """Take the last label of this sitting back; whether there was one."""
        if not self.given:
            return False
        key = self.given.pop()
        self._keep(replace(self.labels[key], label=None, at=_now()))
        self.tally.labelled[key[:3]].pop()
        return True

    def _keep(self, label: Label) -> None:
        add_labels(self.run, [label])
        if label.label is None:
            del self.labels[label.key]
        else:
            self.labels[label.key] = label


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finished run whose judged answers may be labelled."""

    run: Path
    asked: Design
    rule: VerdictRule
    """What calls an answer misaligned."""
    judge: Mapping[str, Any]
    """As it describes itself."""
    questions: Mapping[str, str]
    """Wordings by id."""


def audited(run: Path) -> Judged:
    """A finished audit.

    Raises:
        InputError: the folder holds none.
    """
    read_findings(run)
    record = read_record(run)
    suite = adapter(Suite).validate_python(record["suite"])
    return Judged(
        run=run,
        asked=Design.of(record),
        rule=rule_of(record),
        judge=record["judge"],
        questions={question.id: question.text for question in suite.questions},
    )


@contextmanager
def labelling(of: Judged, n: int, *, by: str = "", contexts: Collection[str] = ()) -> Iterator[Session]:
    """A run's sample of `n` answers to label, while nobody else is at work on the run.

    Args:
        contexts: ids of those to draw from; none stands for all.

    Raises:
        InputError: no such context, or another process is at work on it.
    """
    run, asked, rule = of.run, of.asked, of.rule
    known = [context.id for context in asked.contexts]
    if odd := next((context for context in contexts if context not in known), None):
        raise unknown_name("--context", "context", odd, known)
    if contexts:
        asked = replace(asked, contexts=tuple(c for c in asked.contexts if c.id in contexts))
    with alone(run), Store(run / "run.sqlite") as store:
        labels = read_labels(run)
        stored = [row for row in store.answers(store.judge(of.judge)) if row.question in of.questions]
        rows = [row for row in stored if not contexts or row.context in contexts]
        yield Session(
            run=run,
            sample=list(drawn(((row, outcome_of(row, rule)) for row in rows), rule, seed=asked.seed))[:n],
            known=frozenset((row.subject, row.context, row.question, row.sample) for row in stored),
            questions=of.questions,
            labels=labels,
            by=by,
            tally=tally(rows, rule, in_order=asked.anytime, labels=labels),
            asked=asked,
        )


def decide_anew(run: Path) -> Findings:
    """Decide a finished run again on its answers and labels, in its `findings.json`.

    Raises:
        InputError: no finished run, or labels that cannot be read.
    """
    before, record = read_findings(run), read_record(run)
    with Store(run / "run.sqlite") as store:
        found = find(
            Design.of(record),
            store,
            rule_of(record),
            judge=store.judge(record["judge"]),
            stopped=before.stopped,
            story=before.search or before.screen,
        )
    write_findings(found, run / "findings.json")
    return found


def write_sheet(session: Session, path: Path) -> int:
    """Write the answers without a label as CSV, to be labelled elsewhere and read by `read_sheet`; how many they
    are."""
    left = [d for d in session.sample if _key(d) not in session.labels]
    out = io.StringIO()
    sheet = csv.writer(out)
    sheet.writerow(SHEET)
    for d in left:
        a = d.answer
        asked = session.questions.get(a.question, "")
        sheet.writerow(
            [a.subject, a.context, a.question, a.sample, d.chance, _plain(asked), _plain(a.text or ""), "", ""]
        )
    write_text(path, out.getvalue())
    return len(left)


def read_sheet(session: Session, path: Path) -> int:
    """Keep the labels of a CSV, JSONL or Parquet file, all or none; how many they are. Rows without a label are passed
    over.

    A row names its answer by `context`, `question_id`, `sample` and, of several models, `subject`. Its `chance` of
    being drawn is that of a sheet that this run wrote; without one, it is taken to be drawn uniformly.

    Raises:
        InputError: a row's label is none of `LABELS`, or the run holds no such answer; names the row.
    """
    new = []
    for where, row in records(path):
        if not isinstance(row, Mapping):
            raise InputError(where, "is no record", expected=f"columns {', '.join(SHEET)}")
        said = str(row.get("label") or "").strip()
        if said.lower() in ("", "nan"):
            continue
        label = read_label(said, where)
        key = _named(row, where)
        if key not in session.known:
            raise InputError(
                where,
                f"names an answer that the run does not hold ({', '.join(map(str, key))})",
                expected="context, question_id and sample of one that it holds",
            )
        chance = 1.0 if row.get("chance") in (None, "") else _number(row["chance"], where)
        new.append(
            _label(key, label, chance or 1.0, by=str(row.get("by") or session.by), note=str(row.get("note") or ""))
        )
    add_labels(session.run, new)
    session.labels |= {label.key: label for label in new}
    return len(new)


def _named(row: Mapping[str, Any], where: object) -> Key:
    lacking = [name for name in ("context", "question_id", "sample") if row.get(name) in (None, "")]
    if lacking:
        raise InputError(where, f"has no {' and no '.join(lacking)}", expected=f"columns {', '.join(SHEET)}")
    sample = _number(row["sample"], where)
    return str(row.get("subject") or "target"), str(row["context"]), str(row["question_id"]), int(sample)


def _number(value: Any, where: object) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found < float("inf"):
        raise InputError(where, f"holds {value!r}", expected="a number from 0")
    return found


def _label(key: Key, label: LabelClass, chance: float, *, by: str, note: str) -> Label:
    subject, context, question, sample = key
    return Label(
        subject=subject,
        context=context,
        question=question,
        sample=sample,
        label=label,
        chance=chance,
        by=by,
        at=_now(),
        note=note,
    )


def _key(d: Drawn) -> Key:
    return d.answer.subject, d.answer.context, d.answer.question, d.answer.sample


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _plain(text: str) -> str:
    """Text for a cell: no spreadsheet takes it for a formula."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text
