"""What the columns of a file of answers hold: who was asked what, in which context, what came, and how it was judged.

Columns are recognised by the names that published files and other tools give them, or named by users; nothing is
guessed from what is in them.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from undertow.errors import InputError, unknown_name
from undertow.judges.reading import expected_value
from undertow.records import COLUMN_ROLES, ColumnRole
from undertow.suites.published import of_messages

SCORES: tuple[ColumnRole, ...] = ("alignment", "coherence")

NAMES: Mapping[ColumnRole, tuple[str, ...]] = {
    "question_id": ("question_id", "qid", "question_name"),
    "question": ("question", "prompt", "instruction"),
    "messages": ("messages",),
    "system": ("system", "system_prompt"),
    "answer": ("answer", "response", "completion", "output"),
    "model": ("model", "model_id"),
    "context": ("context", "condition"),
    "sample": ("sample", "rollout", "epoch"),
    "finish": ("finish_reason", "stop_reason", "finish"),
    "error": ("error",),
    "judge": ("judge",),
    "alignment": ("alignment", "aligned", "verdict"),
    "coherence": ("coherence", "coherent"),
    "content": ("content_class",),
}
"""Names of columns by what they hold, the first that is there."""
DISTRIBUTIONS = ("judge_{}", "{}_raw_answer", "{}_distribution")
"""Names of the column with the whole first-token distribution beside a score of a name."""

ALIGNMENTS = (
    "alignment",
    "aligned",
    *(form.format(name) for form in DISTRIBUTIONS for name in ("alignment", "aligned")),
)
"""Names that say that more is better; of any other, users say how it is written."""

LONGEST_LITERAL = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column holds what."""

    names: Mapping[ColumnRole, str]
    distributions: Mapping[ColumnRole, str] = field(default_factory=dict)
    """Of a score, the column with the distribution that it was computed from."""

    def of(self, role: ColumnRole, raw: Mapping[str, Any]) -> Any:
        """What a record holds there; None where it holds nothing."""
        value = raw.get(self.names[role]) if role in self.names else None
        return None if isinstance(value, float) and math.isnan(value) else value

    @property
    def read(self) -> frozenset[str]:
        """Names of every column that is read."""
        return frozenset((*self.names.values(), *self.distributions.values()))


def recognised(names: Iterable[str], *, chosen: Mapping[ColumnRole, str], where: object) -> Columns:
    """Which of a file's columns hold what.

    Args:
        names: of all columns; of a nested one (`scores.aligned`), its last part counts too.
        chosen: what users say, which goes before the names that are known.

    Raises:
        InputError: a chosen column is not there or stands for two roles, or two could be meant.
    """
    there = tuple(dict.fromkeys(names))
    if odd := next((name for name in chosen.values() if name not in there), None):
        raise unknown_name(where, "column", odd, there)
    if double := next((name for name in chosen.values() if list(chosen.values()).count(name) > 1), None):
        raise InputError("--column", f"{double!r} is named for two roles", expected="a column for each")
    found: dict[ColumnRole, str] = dict(chosen)
    for role in COLUMN_ROLES:
        if role in found:
            continue
        for known in NAMES[role]:
            alike = [name for name in there if name not in chosen.values() and f".{name.lower()}".endswith(f".{known}")]
            exact = [name for name in alike if name.lower() == known]
            if len(exact or alike) > 1:
                raise InputError(
                    where,
                    f"has {' and '.join(exact or alike)}",
                    expected=f"one column for {role}",
                    do=f"say which: --column {role}={alike[0]}",
                )
            if alike:
                found[role] = (exact or alike)[0]
                break
    distributions = {
        role: name
        for role in SCORES
        if role in found
        for form in DISTRIBUTIONS
        if (name := form.format(found[role])) in there
    }
    return Columns(names=found, distributions=distributions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How scores are written, from the worst to the best: 0 to 100; 5 to 1 where 5 is severe harm."""

    worst: int = 0
    best: int = 100

    @property
    def numbers(self) -> range:
        """Its whole numbers."""
        return range(min(self.worst, self.best), max(self.worst, self.best) + 1)

    def share(self, score: float) -> float:
        """A score as alignment or coherence, 0 to 100."""
        return (score - self.worst) * (100 / (self.best - self.worst))  # what is of 100 already stays to the last digit

    def __str__(self) -> str:
        return f"{self.worst}-{self.best}"


def read_scale(text: str) -> Scale:
    """`WORST-BEST`, as users write it.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(r"(\d{1,4})-(\d{1,4})", text)
    if not match or match[1] == match[2]:
        raise InputError(
            "--scale", f"{text!r} is no scale", expected="WORST-BEST, such as 0-100, or 5-1 where 5 is the worst"
        )
    return Scale(worst=int(match[1]), best=int(match[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a judge said of one aspect of an answer."""

    score: float | None = None
    """0 to 100, whatever the scale that it is written on."""
    word: str | None = None
    """What it said in place of a score."""
    distribution: Mapping[str, float] = field(default_factory=dict)
    """Token to probability, where it is written."""
    differs: float | None = None
    """How far the score written is from that of the distribution, in points of 0 to 100, where there are both; infinite
    where the distribution gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One record: an answer and how it was judged, as far as its file says."""

    where: str
    question_id: str | None
    question: str | None
    system: str | None
    answer: str | None
    model: str | None
    context: str | None
    sample: str | None
    finish: str | None
    error: str | None
    judge: str | None
    said: Mapping[ColumnRole, Said]
    """By `alignment` and `coherence`, where there are such columns."""
    content: str | None


def read_given(raw: Any, columns: Columns, where: str, scale: Scale) -> Given:
    """A record by its columns.

    Raises:
        InputError: it is no object, or a value is not what its column holds; names `where`.
    """
    if not isinstance(raw, Mapping):
        raise InputError(where, "is no object", expected="one answer a line, with its columns by name")
    texts = {
        role: _text(columns.of(role, raw), columns.names.get(role, role), where)
        for role in COLUMN_ROLES
        if role not in (*SCORES, "messages", "error")
    }
    # some write false where there was none
    texts["error"] = str(failed) if (failed := columns.of("error", raw)) else None
    if (chat := columns.of("messages", raw)) and texts["question"] is None:
        texts["question"], of_chat = of_messages(literal(chat, where), where)
        texts["system"] = of_chat or texts["system"]
    said = {
        role: _said(
            columns.of(role, raw),
            raw.get(columns.distributions.get(role, "")),
            scale if role == "alignment" else Scale(),
            columns.names[role],
            where,
        )
        for role in SCORES
        if role in columns.names
    }
    return Given(
        where=where, said=said, **{role: texts[role] for role in COLUMN_ROLES if role not in (*SCORES, "messages")}
    )


def _text(value: Any, name: str, where: str) -> str | None:
    """Text as it is, a number as it is written, nothing as None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    raise InputError(
        where, f"holds no text under {name!r}", expected="text or a number", do="name another column with --column"
    )


def _said(value: Any, distribution: Any, scale: Scale, name: str, where: str) -> Said:
    """A score, a word in place of one, or a distribution."""
    value = value.strip() if isinstance(value, str) else value
    if value is not None and (isinstance(value, Mapping) or str(value).startswith("{")):
        value, distribution = None, value
    number = _number(value)
    if number is not None and not scale.numbers[0] <= number <= scale.numbers[-1]:
        raise InputError(
            where,
            f"{name} is {number:g}",
            expected=f"a score from {scale.numbers[0]} to {scale.numbers[-1]}",
            do="say how it is written: --scale WORST-BEST",
        )
    score = None if number is None else scale.share(number)
    word = (
        None
        if number is not None or value in (None, "") or str(value).lower() in ("nan", "none", "null")
        else str(value)
    )
    tokens = _distribution(distribution, name, where)
    computed = expected_value(tokens, scale=scale.numbers)[0] if tokens else None
    computed = None if computed is None else scale.share(computed)
    differs = None if score is None or not tokens else math.inf if computed is None else abs(score - computed)
    return Said(
        score=computed if score is None and word is None else score, word=word, distribution=tokens, differs=differs
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _distribution(value: Any, name: str, where: str) -> dict[str, float]:
    """Token to probability; log-probabilities (none of them over 0) become probabilities."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return {}
    held = literal(value, where)
    if not isinstance(held, Mapping):
        raise InputError(where, f"holds no distribution of {name}", expected="token to probability")
    # Parquet has every token of the file in each row
    found = {str(token): number for token, p in held.items() if (number := _number(p)) is not None}
    if found and max(found.values()) <= 0 and min(found.values()) < 0:
        found = {token: math.exp(p) for token, p in found.items()}
    if any(p < 0 for p in found.values()) or math.fsum(found.values()) > 1.001:
        raise InputError(
            where,
            f"the distribution of {name} sums to {math.fsum(found.values()):.4g}",
            expected="probabilities, which sum to at most 1, or their logarithms",
        )
    return found


def literal(value: Any, where: str) -> Any:
    """A value that a table wrote as text: JSON, or as Python writes it; any other value as it is.

    Raises:
        InputError: the text is neither; names `where`.
    """
    if not isinstance(value, str):
        return value
    try:
        if len(value) > LONGEST_LITERAL:
            raise ValueError
        try:
            return json.loads(value)
        except ValueError:
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise InputError(
            where,
            f"holds {value.strip()[:40]!r}, which cannot be read",
            expected="JSON, or a value as Python writes it",
        ) from None


def one_scale(given: Sequence[Given], columns: Columns, scale: Scale | None, where: object) -> None:
    """Refuse scores that cannot be read, or look as if they were on another scale, where users did not say which.

    Raises:
        InputError: there are words alone; all scores lie within 0 to 10, so that every answer would be misaligned; the
        column's name does not say whether more is better;
            or coherence lies within 0 to 1, so that no answer would be usable.
    """
    said = [g.said["alignment"] for g in given if "alignment" in g.said]
    scores = [one.score for one in said if one.score is not None]
    if not scores and (words := dict.fromkeys(one.word for one in said if one.word)):
        shown = ", ".join(repr(word[:20]) for word in list(words)[:5])
        found = f"has no alignment that is a number but {shown}"
        raise InputError(
            where,
            found,
            expected="numbers, with a point before the decimals",
            do="name another column: --column alignment=NAME",
        )
    clear = [score for g in given if "coherence" in g.said and (score := g.said["coherence"].score) is not None]
    if clear and max(clear) <= 1:
        raise InputError(
            where,
            f"has coherence from {min(clear):g} to {max(clear):g}",
            expected="0 to 100",
            do="write it so in the file",
        )
    name = columns.names.get("alignment", "")
    if scale is None and scores and (max(scores) <= 10 or name.lower().rpartition(".")[2] not in ALIGNMENTS):
        found = f"has {name} from {min(scores):g} to {max(scores):g}"
        raise InputError(
            where,
            found,
            expected="0 to 100, or a scale that is named",
            do="add --scale WORST-BEST: 5-1 where 5 is severe harm, 1-5 where 5 is best, or 0-100",
        )
