"""Telling two things apart, and foretelling a number: d' and c, rank correlation, calibration.

Owns the formulas. Never knows what is told apart. Where a formula has no value (one kind never shown, no spread), it is
None and `reason` says why.

In a two-alternative forced choice one of two options, shown first or second, is the signal. "Hit" is choosing the first
where the signal stands first, "false alarm" choosing the first where it stands second, so that d' is what a chooser
knows and c what it does whatever is shown.

Array letters: `_n` one entry an observation, `_d` one a draw of a bootstrap.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from .graded import Floats, ratio
from .rates import checked_tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What choices between signal and noise tell; `sensitivity` and `criterion` None where one of the two was never
    shown."""

    sensitivity: float | None
    """d', in standard deviations of one observation; 0 tells nothing apart, under 0 takes the noise for the signal."""
    criterion: float | None
    """c, in standard deviations of what is decided on; under 0 leans to "yes" (forced choice: to the first option),
    over 0 away from it."""
    hit_rate: float | None
    """Corrected share of "yes" (the first) where the signal was there (stood first)."""
    false_alarm_rate: float | None
    """Corrected share of "yes" (the first) where it was not (stood second)."""
    n_signal: int
    n_noise: int
    reason: str = ""
    """Why there is no value; empty where there is one."""


def detect(yes_signal: ArrayLike, yes_noise: ArrayLike, *, forced_choice: bool = False) -> Detection:
    """d' and c from single answers: 1 for "yes" (forced choice: for the first option), 0 for "no", or the probability
    of it.

    `yes_signal`: shape (n_signal,), where the signal was there (stood first); `yes_noise`: shape (n_noise,), where it
    was not (stood second). Rates are corrected so that perfect ones have a d' (`log_linear`). Raises ValueError for
    values outside [0, 1].
    """
    hits, alarms = (
        np.atleast_1d(np.asarray(yes_signal, dtype=np.float64)),
        np.atleast_1d(np.asarray(yes_noise, dtype=np.float64)),
    )
    if not bool(np.all((hits >= 0) & (hits <= 1))) or not bool(np.all((alarms >= 0) & (alarms <= 1))):
        raise ValueError("expected answers between 0 and 1")
    if not hits.size or not alarms.size:
        missing = "signal" if not hits.size else "noise"
        return Detection(
            sensitivity=None,
            criterion=None,
            hit_rate=None,
            false_alarm_rate=None,
            n_signal=hits.size,
            n_noise=alarms.size,
            reason=f"the {missing} was never shown",
        )
    h, f = (log_linear(float(x.mean()), x.size) for x in (hits, alarms))
    return Detection(
        sensitivity=float(sensitivity(h, f, forced_choice=forced_choice)),
        criterion=float(criterion(h, f)),
        hit_rate=float(h),
        false_alarm_rate=float(f),
        n_signal=hits.size,
        n_noise=alarms.size,
    )


def log_linear(rate: ArrayLike, n: ArrayLike) -> Floats:
    """(n rate + 1/2) / (n + 1): a rate of n observations moved off 0 and 1, always, so that more data never mean a
    lower d' by that alone.

    Source: Hautus 1995, Behav. Res. Methods 27:46.
    """
    n_ = np.asarray(n, dtype=np.float64)
    return np.asarray((n_ * np.asarray(rate, dtype=np.float64) + 0.5) / (n_ + 1.0), dtype=np.float64)


def sensitivity(hit_rate: ArrayLike, false_alarm_rate: ArrayLike, *, forced_choice: bool = False) -> Floats:
    """d' = z(H) - z(F); of a forced choice over sqrt(2), since two observations say more than one. Rates inside (0, 1),
    of any shape.

    Source: Macmillan and Creelman 2005, Detection Theory, 1.2 and 7.2.
    """
    d = ndtri(np.asarray(hit_rate, dtype=np.float64)) - ndtri(np.asarray(false_alarm_rate, dtype=np.float64))
    return np.asarray(d / math.sqrt(2.0) if forced_choice else d, dtype=np.float64)


def criterion(hit_rate: ArrayLike, false_alarm_rate: ArrayLike) -> Floats:
    """c = -(z(H) + z(F)) / 2: 0 without a lean, under 0 where "yes" (the first) is said too often. Source: Macmillan
    and Creelman 2005, 2.1 and 7.2."""
    return np.asarray(
        -(ndtri(np.asarray(hit_rate, dtype=np.float64)) + ndtri(np.asarray(false_alarm_rate, dtype=np.float64))) / 2.0,
        dtype=np.float64,
    )


def chooses_first(sensitivity_: ArrayLike, criterion_: ArrayLike, *, signal_first: bool) -> Floats:
    """Probability of choosing the first of two, by d' and c: Phi(+-d'/sqrt(2) - c). What `sensitivity` and `criterion`
    undo."""
    d = np.asarray(sensitivity_, dtype=np.float64) / math.sqrt(2.0)
    return np.asarray(ndtr((d if signal_first else -d) - np.asarray(criterion_, dtype=np.float64)), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCorrelation:
    """Spearman's correlation with its interval; `value`, `low`, `high` None where there is none."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""
    """Why there is no value or no interval; empty where there are both."""


def rank_correlation(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> RankCorrelation:
    """Spearman's rho of independent pairs: the correlation of midranks, so that ties count as ties.

    `x`, `y`: shape (n,). The interval is tanh(atanh(r) +- z sqrt((1 + r^2/2) / (n - 3))); a perfect r is first drawn in
    by half of what one swap of neighbours takes off it, 6 / (n^3 - n), so that it has an interval too. It needs four
    pairs. Source: Bonett and Wright 2000, Psychometrika 65:23.
    """
    tail = checked_tail(level)
    x_n, y_n = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x_n.ndim != 1 or x_n.shape != y_n.shape:
        raise ValueError(f"expected two columns of one length, found {x_n.shape} and {y_n.shape}")
    n = x_n.size
    if n < 2:
        return RankCorrelation(value=None, low=None, high=None, n=n, reason=f"{n} pairs; a correlation needs two")
    value = float(rank_correlations(x_n, y_n, np.ones((1, n)))[0])
    if math.isnan(value):
        return RankCorrelation(value=None, low=None, high=None, n=n, reason="one side is the same throughout")
    if n < 4:
        return RankCorrelation(value=value, low=None, high=None, n=n, reason=f"{n} pairs; an interval needs four")
    most = 1.0 - 6.0 / (n**3 - n)
    r = min(most, max(-most, value))
    half = -float(ndtri(tail)) * math.sqrt((1.0 + r**2 / 2.0) / (n - 3))
    return RankCorrelation(
        value=value,
        low=min(value, math.tanh(math.atanh(r) - half)),
        high=max(value, math.tanh(math.atanh(r) + half)),
        n=n,
    )


def rank_correlations(x_n: Floats, y_n: Floats, weight_dn: Floats) -> Floats:
    """Spearman's rho under each draw's weights, shape (draws,); whole weights are as good as repeated pairs. NaN where
    one side has no spread."""
    ranks = []
    for values in (x_n, y_n):
        group = rankdata(values, method="dense") - 1
        mass_dg = weight_dn @ np.eye(int(group.max()) + 1)[group]
        ranks.append((np.cumsum(mass_dg, axis=1) - mass_dg / 2.0)[:, group])
    total = weight_dn.sum(axis=1, keepdims=True)
    a, b = (r - (weight_dn * r).sum(axis=1, keepdims=True) / total for r in ranks)
    both, of_a, of_b = ((weight_dn * p).sum(axis=1) for p in (a * b, a * a, b * b))
    spread = np.sqrt(of_a * of_b)
    return ratio(both, np.where(spread > 1e-12 * total[:, 0] ** 3, spread, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """What was observed where such values were predicted."""

    low: float
    """Least prediction in the bin."""
    high: float
    """Predictions are under it; in the last bin, at most it."""
    n: int
    predicted: float | None
    """Mean prediction; None in an empty bin."""
    observed: float | None
    """Mean of what came; None in an empty bin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibration curve and its summary; `error` and `bias` None without data."""

    bins: tuple[CalibrationBin, ...]
    error: float | None
    """Mean over observations of |mean prediction - mean observed| of their bin. Never under 0, so a handful in a bin
    makes some of it by chance."""
    bias: float | None
    """Mean prediction minus mean observed."""
    n: int


def calibration(predicted: ArrayLike, observed: ArrayLike, *, edges: ArrayLike) -> Calibration:
    """The curve over bins of the prediction. `predicted`, `observed`: shape (n,); `edges`: rising, from the least
    prediction possible to the largest.

    Raises ValueError for columns of unlike length or a prediction outside the edges. Source: the error is the expected
    calibration error of Naeini, Cooper and Hauskrecht 2015, AAAI 29:2901, here for a value and not a probability.
    """
    p_n, o_n = np.asarray(predicted, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    if p_n.ndim != 1 or p_n.shape != o_n.shape:
        raise ValueError(f"expected two columns of one length, found {p_n.shape} and {o_n.shape}")
    ends = np.asarray(edges, dtype=np.float64)
    bin_n = bins_of(p_n, ends)
    n_b = np.bincount(bin_n, minlength=ends.size - 1)
    sums = [np.bincount(bin_n, weights=x, minlength=ends.size - 1) for x in (p_n, o_n)]
    bins = tuple(
        CalibrationBin(
            low=float(ends[b]),
            high=float(ends[b + 1]),
            n=int(n),
            predicted=float(sums[0][b] / n) if n else None,
            observed=float(sums[1][b] / n) if n else None,
        )
        for b, n in enumerate(n_b)
    )
    if not p_n.size:
        return Calibration(bins=bins, error=None, bias=None, n=0)
    error = float(calibration_errors(p_n - o_n, bin_n, np.ones((1, p_n.size)))[0])
    return Calibration(bins=bins, error=error, bias=float((p_n - o_n).mean()), n=p_n.size)


def bins_of(predicted_n: Floats, edges: Floats) -> NDArray[np.int64]:
    """The bin of each prediction, from 0. Raises ValueError for edges that do not rise or a prediction outside them."""
    if edges.ndim != 1 or edges.size < 2 or not bool(np.all(np.diff(edges) > 0)):
        raise ValueError("expected at least two edges, rising")
    if predicted_n.size and (predicted_n.min() < edges[0] or predicted_n.max() > edges[-1]):
        raise ValueError(f"a prediction lies outside {edges[0]:g} to {edges[-1]:g}")
    return np.minimum(np.searchsorted(edges, predicted_n, side="right") - 1, edges.size - 2)


def calibration_errors(excess_n: Floats, bin_n: NDArray[np.int64], weight_dn: Floats) -> Floats:
    """The error of `calibration` under each draw's weights, shape (draws,). `excess_n`: prediction minus observed."""
    in_bin = np.eye(int(bin_n.max()) + 1)[bin_n]
    return np.asarray(np.abs((weight_dn * excess_n) @ in_bin).sum(axis=1) / weight_dn.sum(axis=1), dtype=np.float64)
