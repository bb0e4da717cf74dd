"""Rates corrected for the errors of whoever said which trials are events.

A judge flags trials; a person labels some of them. Owns three ways from flags and labels to the true rate:

    `two_phase`      labels of a sample of the same trials, drawn by flag (every flagged one, and some of the others)
    `rogan_gladen`   the judge's sensitivity and specificity, from labelled trials of elsewhere
    `ppi_mean`       a mean of scores from a uniform labelled sample (PPI++)

and what a verdict hangs on where there are no labels, `breakdown`.

The limits of the first two are melded: each uncertain part has a confidence distribution (a random limit of its own
interval), the true rate is a function that rises or falls in each, and a limit of the rate is the quantile of that
function of independent draws. `rogan_gladen` takes exact limits, lower ones for a lower limit and upper ones for an
upper; `two_phase` mid-p ones of the labelled shares, for with exact ones its limits were wider than they need be
(coverage of 98 to 100%). Where all trials are labelled it gives the mid-p limits of their events. Draws are those of
one fixed Sobol sequence, so a limit is the same whenever it is computed.

Sources: Fay, Proschan and Brittain 2015, Biometrics 71:146 (melding); Rogan and Gladen 1978, Am. J. Epidemiol. 107:71;
Lang and Reiczigel 2014, Prev. Vet. Med. 113:13; Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453 (PPI++); Korn and
Graubard 1998, Survey Methodology 24:193 (effective sizes).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, expit, ndtri
from scipy.stats import qmc, t

from .rates import checked_tail

DRAWS = 13
"""Sobol points, as a power of two."""
TAILS = expit(np.linspace(-14.0, 14.0, 113))
"""Probabilities at which a confidence distribution is known; between them it is taken as straight on the normal
scale."""
KNOWN = np.array([1e-6, 1e-4, 1e-3, 0.005, 0.025, 0.1, 0.25, 0.45])
"""Tails at which the limits of a flagged share are asked for."""
Limits = Callable[[float], tuple[float, float]]
"""Tail outside either limit -> lower and upper limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A rate corrected for a judge's errors; `value`, `low`, `high` all None where no estimate is possible."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""
    """Why there is no estimate; empty where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Trials of one kind, some of which are labelled."""

    n: float
    """Trials; not whole where groups of them are weighed."""
    labelled: float
    """Of them, drawn at random and labelled; an effective size where some were likelier to be drawn."""
    events: float
    """Of those, true events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaShare:
    """A share as Beta confidence distributions: events and others, perhaps fractional (effective sizes)."""

    events: float
    others: float

    @property
    def value(self) -> float:
        return self.events / (self.events + self.others)


def share_of(strata: Sequence[Stratum]) -> BetaShare | None:
    """The share of events in several strata together, from the labelled trials of each; None where a stratum with
    trials has none labelled.

    p = sum of w_h p_h with w_h = n_h / n, and an effective size p (1 - p) / v, where v = sum of w_h^2 p'_h (1 - p'_h) /
    (labelled_h - 1) + (sum of w_h p_h^2 - p^2) / n: the second part is that the strata's own sizes are random. p'_h is
    p_h drawn towards p by one trial. The size is at most that of all labelled, and without events or without others
    that of the weights alone, 1 / sum(w_h^2 / labelled_h).
    """
    held = [s for s in strata if s.n > 0]
    if not held or any(s.labelled == 0 for s in held):
        return None
    n = sum(s.n for s in held)
    w, m = np.array([s.n / n for s in held]), np.array([float(s.labelled) for s in held])
    p_h = np.array([s.events for s in held]) / m
    p = float(w @ p_h)
    if len(held) == 1:
        return BetaShare(events=float(held[0].events), others=float(m[0] - held[0].events))
    size = float(1.0 / (w**2 / m).sum())
    if 0.0 < p < 1.0:
        drawn = (m * p_h + p) / (m + 1.0)
        v = float((w**2 * drawn * (1 - drawn) / np.maximum(m - 1, 0.5)).sum() + max(0.0, float(w @ p_h**2) - p * p) / n)
        size = min(p * (1 - p) / v, float(m.sum())) if v > 0 else size
    return BetaShare(events=p * size, others=(1 - p) * size)


def corrected_share(value: float, of_flagged: BetaShare | None, of_others: BetaShare | None) -> float:
    """The true rate of a flagged share; flags are taken at their word where no label tells."""
    return value * (of_flagged.value if of_flagged else 1.0) + (1 - value) * (of_others.value if of_others else 0.0)


def two_phase(
    flagged: Limits,
    value: float,
    of_flagged: BetaShare | None,
    of_others: BetaShare | None,
    *,
    level: float = 0.95,
) -> Corrected:
    """The true rate: flagged share times events among the flagged, plus the rest times events among the others.

    Args:
        flagged: limits of the share of flagged trials, whatever makes them hold (clusters, looks).
        value: that share.
        of_flagged, of_others: true events among labelled trials of either kind. None where none are labelled: they may
            be anything, and the value takes the flags at their word.
    """
    tail = checked_tail(level)
    point = corrected_share(value, of_flagged, of_others)
    f, *u = _drawn_from(flagged, tail)
    least, most = _rates(f, (of_flagged, of_others), u)
    low, high = float(np.quantile(least, tail)), float(np.quantile(most, 1 - tail))
    return Corrected(value=point, low=min(low, point), high=max(high, point))


def drawn_rates(
    flagged: NDArray[np.float64],
    of_flagged: BetaShare | None,
    of_others: BetaShare | None,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`two_phase` draw by draw: the least and the most that the true rate may be for each draw of the flagged share,
    shapes (draws,). They are one where answers of both kinds are labelled."""
    return _rates(flagged, (of_flagged, of_others), list(rng.random((2, flagged.size))))


def _rates(
    f: NDArray[np.float64], shares: tuple[BetaShare | None, BetaShare | None], u: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draws of the true rate; a share that no label tells is 0 at least and 1 at most."""
    drawn = [None if share is None else _mid(share, points) for share, points in zip(shares, u, strict=True)]
    least, most = (
        _rate(f, *(np.full_like(f, end) if share is None else share for share in drawn)) for end in (0.0, 1.0)
    )
    return least, most


def rates_within(
    flagged: NDArray[np.float64], *, false_positives: float, false_negatives: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the most that true rates may be under flagged shares, where a judge errs so much at most."""
    low = np.maximum(0.0, (flagged - false_positives) / (1 - false_positives))
    return low, np.minimum(1.0, flagged / (1 - false_negatives))


def rogan_gladen(
    flagged: Limits, value: float, sensitivity: BetaShare, specificity: BetaShare, *, level: float = 0.95
) -> Corrected:
    """The true rate (f + sp - 1) / (se + sp - 1) from the flagged share f and the judge's sensitivity se and
    specificity sp, measured on other trials; kept within 0 and 1.

    Args:
        flagged: limits of the flagged share.
        sensitivity: events that were flagged, and events that were not.
        specificity: others that were not flagged, and others that were.
    """
    tail = checked_tail(level)
    gain = sensitivity.value + specificity.value - 1
    if not gain > 0:
        return Corrected(
            value=None, low=None, high=None, reason="the judge tells events from others no better than chance"
        )
    point = min(1.0, max(0.0, (value + specificity.value - 1) / gain))
    f, u1, u0 = _drawn_from(flagged, tail)
    low = float(np.quantile(_undone(f, _beta_high(sensitivity, u1), _beta_low(specificity, u0)), tail))
    high = float(np.quantile(_undone(f, _beta_low(sensitivity, u1), _beta_high(specificity, u0)), 1 - tail))
    return Corrected(value=point, low=min(low, point), high=max(high, point))


def lang_reiczigel(
    flagged: int, n: int, sensitivity: tuple[int, int], specificity: tuple[int, int], *, level: float = 0.95
) -> Corrected:
    """Rogan and Gladen's rate with the adjusted normal limits of Lang and Reiczigel, from counts alone.

    Args:
        flagged, n: trials flagged, and all.
        sensitivity: of labelled events, (flagged, all). specificity: of labelled others, (not flagged, all).
    """
    z = -float(ndtri(checked_tail(level)))
    (tp, n_se), (tn, n_sp) = sensitivity, specificity
    gain = tp / n_se + tn / n_sp - 1
    if not gain > 0:
        return Corrected(
            value=None, low=None, high=None, reason="the judge tells events from others no better than chance"
        )
    point = min(1.0, max(0.0, (flagged / n + tn / n_sp - 1) / gain))
    size, size_se, size_sp = n + z * z, n_se + 2, n_sp + 2
    f, se, sp = (flagged + z * z / 2) / size, (tp + 1) / size_se, (tn + 1) / size_sp
    j = se + sp - 1
    p = (f + sp - 1) / j
    shift = 2 * z * z * (p * se * (1 - se) / size_se - (1 - p) * sp * (1 - sp) / size_sp)
    spread = math.sqrt(f * (1 - f) / size + p**2 * se * (1 - se) / size_se + (1 - p) ** 2 * sp * (1 - sp) / size_sp) / j
    low, high = (min(1.0, max(0.0, p + shift + side * z * spread)) for side in (-1, 1))
    return Corrected(value=point, low=min(low, point), high=max(high, point))


def ppi_mean(
    labels: ArrayLike,
    judged: ArrayLike,
    judged_others: ArrayLike,
    *,
    clusters: tuple[ArrayLike, ArrayLike] | None = None,
    power: float | None = None,
    level: float = 0.95,
) -> Corrected:
    """A mean from a uniform labelled sample and a judge's scores of everything: PPI++ with the normal limits.

    mean = l * mean(judged_others) + mean(labels - l * judged), with l = cov(labels, judged) / ((1 + n / N) var(all
    judged)), kept within 0 and 1. The limits are those of a large sample: with few events among the labels they are too
    narrow.

    Args:
        labels, judged: of the labelled trials, shape (n,).
        judged_others: of the others, shape (N,).
        clusters: what each labelled trial, and each other one, belongs to (a question, a training seed): whole clusters
            vary together, those of both parts too, and the limits are those of t with one degree of freedom less than
            there are clusters.
        power: l, where it is not to be chosen; 0 is the labels' own mean.
    """
    z = -float(ndtri(checked_tail(level)))
    y, f, g = (np.asarray(x, dtype=np.float64) for x in (labels, judged, judged_others))
    if y.size < 2 or g.size < 2:
        return Corrected(value=None, low=None, high=None, reason="fewer than two trials of one kind")
    l = _power(y, f, g) if power is None else power  # noqa: E741
    value = float(l * g.mean() + (y - l * f).mean())
    if clusters is None:
        half = z * math.sqrt(float((l * g).var()) / g.size + float((y - l * f).var()) / y.size)
        return Corrected(value=value, low=value - half, high=value + half)
    ids = np.unique(np.concatenate([np.asarray(held).astype(str) for held in clusters]), return_inverse=True)[1]
    n = int(ids.max()) + 1
    if n < 2:
        return Corrected(value=None, low=None, high=None, reason="one cluster gives no interval")
    moves = np.concatenate([(y - l * f - (y - l * f).mean()) / y.size, l * (g - g.mean()) / g.size])
    of_c = np.bincount(ids, weights=moves, minlength=n)
    half = float(t.ppf(1 - checked_tail(level), n - 1)) * math.sqrt(n / (n - 1) * float((of_c**2).sum()))
    return Corrected(value=value, low=value - half, high=value + half)


def breakdown(limit: float, bound: float) -> float:
    """The share of errors from which a claim about a rate falls, whatever they hit.

    `limit` over `bound`, a lower limit of the flagged share that is over the bound: the false-positive rate f (of the
    others that are flagged) from which the events may be no more than the bound: (limit - f) / (1 - f) = bound. Under
    it, an upper limit: the false-negative rate f (of the events that are not flagged) from which there may be as many:
    limit / (1 - f) = bound.
    """
    return (limit - bound) / (1 - bound) if limit > bound else 1 - limit / bound


def _power(y: NDArray[np.float64], f: NDArray[np.float64], g: NDArray[np.float64]) -> float:
    spread = float(np.concatenate([f, g]).var(ddof=1))
    together = float(((y - y.mean()) * (f - f.mean())).mean())
    return min(1.0, max(0.0, together / ((1 + y.size / g.size) * spread))) if spread > 0 else 0.0


@lru_cache(maxsize=4)
def _points(dimensions: int) -> NDArray[np.float64]:
    """Points of the unit cube, shape (dimensions, 2^DRAWS)."""
    return qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(0)).random_base2(DRAWS).T


def _rate(f: NDArray[np.float64], q1: NDArray[np.float64], q0: NDArray[np.float64]) -> NDArray[np.float64]:
    return f * q1 + (1 - f) * q0


def _undone(f: NDArray[np.float64], se: NDArray[np.float64], sp: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rogan and Gladen's rate of draws; anything from 0 to 1, so 1, where a draw tells nothing apart."""
    gain = se + sp - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gain > 0, np.clip((f + sp - 1) / gain, 0, 1), np.where(f + sp > 1, 1.0, 0.0))


def _beta_low(share: BetaShare, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws of a lower limit."""
    if share.events <= 0:
        return np.zeros_like(u)
    return _between(u, lambda tail: betaincinv(share.events, share.others + 1, tail))


def _beta_high(share: BetaShare, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws of an upper limit."""
    if share.others <= 0:
        return np.ones_like(u)
    return _between(u, lambda tail: betaincinv(share.events + 1, share.others, tail))


def _mid(share: BetaShare, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws of a share from its mid-p confidence distribution: of its lower limits and of its upper ones, half each."""
    at = np.unique(np.concatenate([_beta_low(share, TAILS), _beta_high(share, TAILS)]))
    lower = betainc(share.events, share.others + 1, at) if share.events > 0 else np.ones_like(at)
    upper = betainc(share.events + 1, share.others, at) if share.others > 0 else (at >= 1).astype(np.float64)
    drawn: NDArray[np.float64] = np.interp(ndtri(u), ndtri(np.clip((lower + upper) / 2, TAILS[0], TAILS[-1])), at)
    return drawn


def _between(
    u: NDArray[np.float64], quantile: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    return np.interp(ndtri(u), ndtri(TAILS), quantile(TAILS))


def _drawn_from(limits: Limits, tail: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Draws of a share that is known by its limits at some tails, and points for two more.

    Below the middle they are its lower limits and above it its upper ones, so they serve for either side.
    """
    u, *others = _points(3)
    tails = np.unique(np.concatenate([[tail], KNOWN]))
    lows, highs = np.array([limits(float(t)) for t in tails]).T
    at, known = np.concatenate([ndtri(tails), -ndtri(tails)[::-1]]), np.concatenate([lows, highs[::-1]])
    return np.interp(ndtri(u), at, np.maximum.accumulate(known)), others[0], others[1]
