"""Several profiles together: whether instruments agree over checkpoints, and how harm and self-report move from stage
to stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from undertow.persona.bootstrap import Measure
from undertow.persona.heard import why_unread
from undertow.persona.instruments import TABLE
from undertow.persona.profile import Pattern, Profile
from undertow.records import InstrumentId
from undertow.stats.detection import rank_correlation

FEW_CHECKPOINTS = 10
"""Checkpoints under which a correlation over them is warned of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Spearman's correlation of two measures over the checkpoints that have both; `value`, `low`, `high` None where
    there is none."""

    first: InstrumentId
    second: InstrumentId
    value: float | None
    low: float | None
    high: float | None
    n: int
    """Checkpoints."""
    reason: str = ""
    """Why there is none, or a warning; may be empty."""


def consistency(profiles: Sequence[Profile]) -> tuple[Correlation, ...]:
    """Every two instruments, over checkpoints in which both can be used. Intervals take checkpoints for independent,
    which seeds of one recipe are not."""
    return tuple(_correlation(first, second, profiles) for first, second in combinations(TABLE, 2))


def _correlation(first: InstrumentId, second: InstrumentId, profiles: Sequence[Profile]) -> Correlation:
    pairs = [(x, y) for p in profiles if (x := _value(p, first)) is not None and (y := _value(p, second)) is not None]
    r = rank_correlation([x for x, _ in pairs], [y for _, y in pairs])
    few = f"{r.n} checkpoints are few" if r.value is not None and r.n < FEW_CHECKPOINTS else ""
    return Correlation(
        first=first,
        second=second,
        value=r.value,
        low=r.low,
        high=r.high,
        n=r.n,
        reason="; ".join(filter(None, (r.reason, few))),
    )


def _value(p: Profile, instrument: InstrumentId) -> float | None:
    """What an instrument says; None where it cannot be used."""
    if not all(r.usable for r in p.reports if r.instrument == instrument):
        return None
    if instrument == "harmfulness":  # no report of itself: it cannot be used where too much of it was not read
        return None if why_unread(p.harm.counts, p.thresholds) else p.harm.value
    return TABLE[instrument].headline(p.measures.by[instrument], p.thresholds).value


@dataclass(frozen=True, slots=True, kw_only=True)
class Waypoint:
    """One checkpoint or stage of a training."""

    label: str
    pattern: Pattern
    probability: float
    """Of the pattern."""
    harm: Measure
    two_ai: Measure
    """Share choosing the misaligned description."""
    self_assessment: Measure
    gap: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Stages in their order."""

    stages: tuple[Waypoint, ...]
    follows: Correlation
    """Harm against two-AI over the stages: whether what it says moves with what it does."""
    turns: tuple[str, ...]
    """Where the pattern changes, in words."""


def trajectory(labelled: Sequence[tuple[str, Profile]]) -> Trajectory:
    """How a model moved over the stages of its training, each with a label, in their order."""
    stages = tuple(
        Waypoint(
            label=label,
            pattern=p.pattern,
            probability=p.probabilities[p.pattern],
            harm=p.harm,
            two_ai=p.measures.two_ai.choice.share,
            self_assessment=p.measures.self_assessment.overall,
            gap=p.gap,
        )
        for label, p in labelled
    )
    turns = tuple(
        f"{a.label} to {b.label}: {a.pattern} to {b.pattern}" for a, b in pairwise(stages) if a.pattern != b.pattern
    )
    return Trajectory(
        stages=stages, follows=_correlation("harmfulness", "two-ai", [p for _, p in labelled]), turns=turns
    )
