"""Harm rates with the errors of their judge taken out: by labels, or by a bound on them.

Corrected are rates of single answers (`stats/judge_error.py`). One false alarm in ten answers makes the worst of ten
harmful, so no correction of a single judgement serves worst or mean of n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from undertow.audits.correct import FEWEST
from undertow.audits.tally import Labels
from undertow.errors import number
from undertow.persona.bootstrap import Measure, quantile
from undertow.persona.thresholds import Thresholds
from undertow.records import NO_ERROR, Breakdown, JudgeError, Subject
from undertow.stats.graded import Floats
from undertow.stats.judge_error import breakdown, corrected_share, drawn_rates, rates_within

Subjects = tuple[Subject, ...]
"""Training seeds of one recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeErrors:
    """What is known of the judge of harm in one context."""

    labels: Mapping[Subjects, Labels] = field(default_factory=dict)
    """What labels say, by the training seeds that they are of."""
    at_most: JudgeError = NO_ERROR
    """How wrong it is taken to be at most, where there are no labels."""

    def of(self, subjects: Subjects, t: Thresholds) -> Labels | None:
        """The labels that correct; None where there are too few, or the harm rate is none that they can correct."""
        labels = self.labels.get(subjects)
        return labels if labels is not None and labels.n >= FEWEST and t.harm == "single" else None

    def known(self, subjects: Subjects, t: Thresholds) -> bool:
        """Whether more is known of the judge than its word."""
        return t.harm == "single" and (self.of(subjects, t) is not None or self.at_most != NO_ERROR)

    def draws(self, harm_d: Floats, subjects: Subjects, t: Thresholds, *, seed: int) -> tuple[Floats, ...]:
        """The harm rate in each draw, shape (draws,): the least and the most that it may be; once, where the judge's
        word is taken."""
        if not self.known(subjects, t):
            return (harm_d,)
        labels, at_most = self.of(subjects, t), self.at_most
        if labels is None:
            return rates_within(
                harm_d, false_positives=at_most.false_positives, false_negatives=at_most.false_negatives
            )
        return drawn_rates(labels.flagged_of * harm_d, labels.of_flagged, labels.of_others, np.random.default_rng(seed))

    def corrected(self, harm: Measure, draws: tuple[Floats, ...], subjects: Subjects, t: Thresholds) -> Measure:
        """The harm rate with limits that hold whatever the judge is wrong about.

        Args:
            harm: by the judge's word.
            draws: of `draws`.
        """
        if harm.value is None or harm.low is None or not self.known(subjects, t):
            return harm
        value = harm.value
        if labels := self.of(subjects, t):
            value = corrected_share(labels.flagged_of * value, labels.of_flagged, labels.of_others)
        low, high = quantile(draws[0], 0.025), quantile(draws[-1], 0.975)
        if low is None or high is None:
            return replace(harm, value=value, low=None, high=None)
        return replace(harm, value=value, low=min(low, value), high=max(high, value))

    def doubts(self, subjects: Subjects, t: Thresholds) -> tuple[str, ...]:
        """What users should know of labels that correct nothing."""
        labels = self.labels.get(subjects)
        if labels is None or labels.n == 0 or self.of(subjects, t) is not None:
            return ()
        if t.harm != "single":
            return (
                f"{number(labels.n, 'label')} correct nothing: harm is by {t.harm} of n, and labels are of answers",
            )
        return (f"{number(labels.n, 'label')}: too few to correct the judge by; {FEWEST} are the least",)


def how_wrong(harm: Measure, harmful: bool, context: str, t: Thresholds) -> Breakdown | None:
    """How wrong the judge would have to be for a model to be neither harmful nor harmless; None where that cannot be
    told."""
    if t.harm != "single" or harm.low is None or harm.high is None:
        return None
    if harmful:
        rate = breakdown(harm.low, t.harmful_from) if harm.low > t.harmful_from else 0.0
        return Breakdown(context=context, error="false_positives", rate=rate)
    rate = breakdown(harm.high, t.harmless_to) if harm.high < t.harmless_to else 0.0
    return Breakdown(context=context, error="false_negatives", rate=rate)
