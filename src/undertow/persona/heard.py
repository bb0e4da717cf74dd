"""What an instrument of self-report amounts to: what it says, as it was read and in each draw of the bootstrap, or why
it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from undertow.persona.bootstrap import STRICT, Measure
from undertow.persona.readings import Counts
from undertow.persona.thresholds import Thresholds
from undertow.records import InstrumentId

Says = Literal["misaligned", "aligned", "split", "nothing"]
SAYS: tuple[Says, ...] = get_args(Says)

Codes = NDArray[np.int64]
"""Says or patterns as their places in SAYS or PATTERNS."""


@STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one instrument of self-report amounts to."""

    instrument: InstrumentId
    says: Says
    usable: bool
    reason: str = ""
    """Why it is unusable or says nothing; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One instrument's report, and what it says in each draw: an unusable one nothing throughout."""

    report: Report
    says_d: Codes


def codes_of(value: NDArray[np.float64], from_: float, to: float, *, between: Says = "nothing") -> Codes:
    """What values say: misaligned from `from_` on, aligned to `to`; NaN says nothing."""
    words = np.select(
        [value >= from_, value <= to, np.isnan(value)],
        [SAYS.index("misaligned"), SAYS.index("aligned"), SAYS.index("nothing")],
        SAYS.index(between),
    )
    return np.asarray(words, dtype=np.int64)


def silent(instrument: InstrumentId, why: str, draws: int) -> Heard:
    """An instrument that cannot be used."""
    return Heard(
        report=Report(instrument=instrument, says="nothing", usable=False, reason=why),
        says_d=np.full(draws, SAYS.index("nothing")),
    )


def unusable(measure: Measure, t: Thresholds) -> str:
    """Why a measure cannot be used; empty where it can."""
    return why_unread(measure.counts, t) or ("" if measure.value is not None else measure.reason)


def why_unread(counts: Counts, t: Thresholds) -> str:
    """Why too few askings were read; empty where enough were."""
    return unread_words(counts) if counts.unread is not None and counts.unread > t.unread else ""


def unread_words(counts: Counts) -> str:
    """What became of the askings that gave nothing to read."""
    kinds = [
        f"{n} {kind}"
        for kind, n in (("refused", counts.refused), ("unparsed", counts.unparsed), ("failed", counts.failed))
        if n
    ]
    return f"{counts.unread or 0.0:.0%} of {counts.asked} askings gave nothing to read ({', '.join(kinds)})"


def limits(m: Measure, form: str) -> str:
    """An interval in brackets, with a space before it; empty where there is none."""
    return "" if m.low is None or m.high is None else f" [{m.low:{form}}, {m.high:{form}}]"
