"""Labels: what a person says of a run's answers, and which answers are worth asking a person about.

A label stands in `labels.jsonl` of the run's folder, one line each, appended and never overwritten; the last line about
an answer counts. Answers are drawn without replacement, likelier where a label tells more: every flagged one before
long, many of those whose score is near the threshold, and some of all others. The order follows from the run's seed
alone, so labelling may stop anywhere and go on later, and what is labelled is a fair sample at every moment.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from undertow.asking.store import StoredAnswer
from undertow.audits.rules import VerdictRule
from undertow.errors import InputError, unknown_name
from undertow.files import adapter, draw
from undertow.mistakes import with_place
from undertow.records import MISSING, Judgement, Outcome, Subject, is_target

FILE = "labels.jsonl"
LabelClass = Literal["aligned", "misaligned", "refused", "incoherent", "off_format"]
LABELS: tuple[LabelClass, ...] = get_args(LabelClass)
Key = tuple[Subject, str, str, int]
"""Subject, context, question, sample."""

Kind = Literal["flagged", "doubtful", "clear", "left_out"]
"""What the judge made of an answer: misaligned; not so, with a score near the threshold; not so; not usable."""
KINDS: tuple[Kind, ...] = get_args(Kind)
DOUBTFUL = 20.0
"""Points of alignment over the rule's threshold up to which an answer is doubtful."""
CHANCE: Mapping[Kind, float] = {"flagged": 1.0, "doubtful": 0.8, "clear": 0.2, "left_out": 0.1}
"""How likely an answer is to be drawn, against a flagged one. Neyman's allocation, in proportion to the sd of the truth
within a kind, for some half, a fifth and a hundredth of them misaligned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a person says of one answer."""

    subject: Subject
    context: str
    question: str
    sample: int
    label: LabelClass | None
    """None takes an earlier label back."""
    chance: float = 1.0
    """How likely the answer was to be drawn, against others of the sample."""
    by: str = ""
    at: str = ""
    """When, in ISO 8601."""
    note: str = ""

    @property
    def key(self) -> Key:
        return self.subject, self.context, self.question, self.sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """An answer that is worth a label."""

    answer: StoredAnswer
    kind: Kind
    chance: float


def read_labels(run: Path) -> dict[Key, Label]:
    """A run's labels by answer, those taken back left out; none where there is no file.

    Raises:
        InputError: a line is no label; a last line that was cut off while it was written is passed over.
    """
    path = run / FILE
    if not path.is_file():
        return {}
    lines = path.read_bytes().split(b"\n")
    found: dict[Key, Label] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            label = adapter(Label).validate_json(line, strict=True, extra="forbid")
        except ValidationError as error:
            if number == len(lines):  # no line break behind it: the writing was cut off
                break
            problem = with_place(error.errors()[0])
            raise InputError(
                f"{path}:{number}",
                f"is no label ({problem})",
                expected="a line that labelling wrote",
                do="mend or delete the line",
            ) from None
        found[label.key] = label
    return {key: label for key, label in found.items() if label.label is not None}


def add_labels(run: Path, labels: Iterable[Label]) -> None:
    """Append labels to a run's file, on the disk when this returns."""
    path = run / FILE
    with path.open("a+b") as out:
        out.seek(0)
        held = out.read()
        out.truncate(held.rfind(b"\n") + 1)  # a line that was cut off while it was written
        rest = held[held.rfind(b"\n") + 1 :]
        lines = [json.dumps(asdict(label), ensure_ascii=False).encode() for label in labels]
        out.write(b"".join(line + b"\n" for line in ([rest] if _is_label(rest) else []) + lines))
        out.flush()
        os.fsync(out.fileno())


def _is_label(line: bytes) -> bool:
    try:
        adapter(Label).validate_json(line, strict=True, extra="forbid")
    except ValidationError:
        return False
    return True


def read_label(said: object, where: object) -> LabelClass:
    """A label as people write it: in any case, with blanks or dashes, or by its first letter as in the terminal.

    Raises:
        InputError: it is none of `LABELS`.
    """
    bare = str(said).strip().lower().replace(" ", "_").replace("-", "_")
    bare = next((label for label in LABELS if bare == label[0]), bare)
    if bare not in LABELS:
        raise unknown_name(where, "label", bare, LABELS)
    return bare


def kind_of(outcome: Outcome, judgement: Judgement | None, rule: VerdictRule) -> Kind | None:
    """What the judge made of an answer under a rule; None where it made nothing of it."""
    if outcome in MISSING:
        return None
    if outcome == "misaligned":
        return "flagged"
    if outcome not in ("aligned", "not_misaligned"):
        return "left_out"
    score = judgement.alignment if judgement else None
    return "doubtful" if score is not None and score < rule.needs.below + DOUBTFUL else "clear"


def drawn(answers: Iterable[tuple[StoredAnswer, Outcome]], rule: VerdictRule, *, seed: int) -> Iterator[Drawn]:
    """The audited model's answers in the order in which to label them, those worth most first.

    Each answer has a number u in (0, 1) that follows from the seed and its key, and comes at u / chance: Ohlsson's
    sequential Poisson sampling, in which every beginning of the order is a sample with chances in these proportions.
    Source: Ohlsson 1998, J. Off. Stat. 14:149.
    """
    held: list[tuple[float, StoredAnswer, Kind]] = []
    for answer, outcome in answers:
        kind = kind_of(outcome, answer.judgement, rule)
        if kind is not None and is_target(answer.subject) and (answer.text or "").strip():
            key = [seed, "label", answer.subject, answer.context, answer.question, answer.sample]
            held.append((draw(key) / CHANCE[kind], answer, kind))
    for _, answer, kind in sorted(held, key=lambda item: (item[0], item[1].id)):
        yield Drawn(answer=answer, kind=kind, chance=CHANCE[kind])


def effective(weights: Iterable[float]) -> float:
    """The number of equally weighed answers that tell as much: (sum w)^2 / sum w^2 (Kish)."""
    held = list(weights)
    return math.fsum(held) ** 2 / math.fsum(w * w for w in held) if held else 0.0
