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
from undertow.files import adapter, digest, write_text
from undertow.records import Suite
from undertow.tables import records

LEAST_CHANCE = 0.01
"""Chance of being drawn under which one answer would stand for too many."""
SHEET = ("id", "question", "answer", "label", "note")
"""Columns of a sheet for labelling elsewhere: blind, as in the terminal. An id stands for one answer of one run."""
NAMES = ("context", "question_id", "sample")
"""Columns by which a sheet that was made elsewhere names an answer; of several models `subject` too."""


@dataclass(slots=True)
class Session:
    """A run that is being labelled."""

    run: Path
    sample: list[Drawn]
    """The answers to label, in order."""
    known: Mapping[Key, str]
    """The text of every answer of the run."""
    drawn: Mapping[str, Drawn]
    """What may be drawn of it, by the id that a sheet calls it."""
    questions: Mapping[str, str]
    """Wordings by id."""
    labels: dict[Key, Label]
    by: str
    tally: Tally
    """Of the run's answers and the labels that there were."""
    asked: Design
    given: list[Key] = field(default_factory=list)
    """What was labelled in this sitting, in order."""
    replaced: int = 0
    """Labels that a sheet replaced by others."""
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
        questions={question.id: question.in_full for question in suite.questions},
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
        order = list(drawn(((row, outcome_of(row, rule)) for row in rows), rule, seed=asked.seed))
        if not order:
            raise InputError(
                run, "holds no answer that its judge judged", do="have it judged: undertow audit RUN --resume"
            )
        yield Session(
            run=run,
            sample=order[:n],
            known={(row.subject, row.context, row.question, row.sample): row.text or "" for row in stored},
            drawn={_id(d): d for d in order},
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
        asked = session.questions.get(d.answer.question, "")
        sheet.writerow([_id(d), _plain(asked), _plain(d.answer.text or ""), "", ""])
    write_text(path, out.getvalue())
    return len(left)


def read_sheet(session: Session, path: Path) -> int:
    """Keep the labels of a CSV, JSONL or Parquet file, all or none; how many they are. Rows without a label are passed
    over.

    A row names its answer by the `id` of a sheet that this run wrote, or by `context`, `question_id`, `sample` and, of
    several models, `subject`. One without an id is taken to be drawn uniformly, unless it says its `chance`. An
    `answer` in it must be the run's.

    Raises:
        InputError: there is no column of labels, a row's label is none of `LABELS`, the run holds no such answer, or
            two rows say unlike things of one; names the row.
    """
    new: dict[Key, Label] = {}
    there = False
    for where, row in records(path):
        if not isinstance(row, Mapping):
            raise InputError(where, "is no record", expected=f"columns {', '.join(SHEET)}")
        there |= "label" in row
        said = str(row.get("label") or "").strip()
        if said.lower() in ("", "nan"):
            continue
        label = read_label(said, where)
        key, chance = _meant(session, row, where)
        by, note = str(row.get("by") or session.by), str(row.get("note") or "")
        if key in new and new[key].label != label:
            raise InputError(where, f"calls an answer {label!r} that a row before it calls {new[key].label!r}")
        new[key] = _label(key, label, chance, by=by, note=note)
    if not there:
        raise InputError(path, "has no column `label`", expected=f"columns {', '.join(SHEET)}")
    add_labels(session.run, new.values())
    session.replaced = sum(
        key in session.labels and session.labels[key].label != label.label for key, label in new.items()
    )
    session.labels |= new
    return len(new)


def _meant(session: Session, row: Mapping[str, Any], where: object) -> tuple[Key, float]:
    """The answer that a row is about, and how likely it was to be drawn."""
    if (id_ := str(row.get("id") or "").strip()) and not all(row.get(name) for name in NAMES[:2]):
        if (found := session.drawn.get(id_)) is None:
            raise InputError(
                where,
                f"id {id_!r} is none of this run's answers",
                expected="a sheet that `judge label RUN --write` wrote of this run",
            )
        key, chance = _key(found), found.chance
    else:
        key = _named(session, row, where)
        if key not in session.known:
            raise InputError(
                where,
                f"names an answer that the run does not hold ({', '.join(map(str, key))})",
                expected=f"{', '.join(NAMES)} of one that it holds",
            )
        chance = 1.0 if row.get("chance") in (None, "") else _number(row["chance"], where)
        if not LEAST_CHANCE <= chance <= 1:
            raise InputError(where, f"has the chance {chance:g}", expected=f"from {LEAST_CHANCE:g} to 1")
    text = str(row.get("answer") or "")
    if text and _bare(text) not in (_bare(session.known[key]), _bare(_plain(session.known[key]))):
        raise InputError(where, "holds another answer than this run's", expected="a sheet of this run")
    return key, chance


def _named(session: Session, row: Mapping[str, Any], where: object) -> Key:
    lacking = [name for name in NAMES if row.get(name) in (None, "")]
    if lacking:
        raise InputError(where, f"has no {' and no '.join(lacking)}", expected=f"id, or columns {', '.join(NAMES)}")
    sample = _number(row["sample"], where)
    if sample != int(sample):
        raise InputError(where, f"holds sample {row['sample']!r}", expected="a whole number from 0")
    subject = str(row.get("subject") or "")
    if not subject and len(session.asked.seeds) > 1:
        seeds = ", ".join(session.asked.seeds)
        raise InputError(where, "has no subject", expected=f"which training seed answered: {seeds}")
    return subject or "target", str(row["context"]), str(row["question_id"]), int(sample)


def _bare(text: str) -> str:
    """Text without what a spreadsheet does to it: line ends, and blanks at its ends."""
    return "\n".join(text.split("\r\n")).replace("\r", "\n").strip()


def _id(d: Drawn) -> str:
    """What a sheet calls an answer: it says nothing of the answer but which it is."""
    return digest([*_key(d), d.answer.text])[:12]


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
