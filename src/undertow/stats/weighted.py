"""Rates of a population from a stratified sample of it whose units weigh unlike.

Owns `rate_weighted`: the share of events in a population of units (requests, say) that was cut into strata, of which
each gave some units at random. Each unit sampled stands for as many as its weight says, and was tried once or more.

Clopper and Pearson's limits are quantiles of beta distributions: the upper of that of one more trial, which was an
event, and the lower of that of one more trial, which was none. Here a trial weighs up to w = max(weight) / sum(weight)
of the whole, and the estimate p has the variance v. So the upper limit is the quantile of the beta distribution with

    mean (p + w) / (1 + w)   and   variance (v + w^2 (1 - p)) / ((1 + w)^2 (1 + 2w)),

and the lower is 1 minus the same of the others, 1 - p. Where all units weigh the same, w = 1/n, and v = p (1 - p) / n,
that is Clopper and Pearson's. Where no unit had an event, v is 0 and the limit is theirs of 1/w trials, which are fewer
than there were: the events may sit in the stratum whose units weigh most. Fay and Feuer do the same with gamma
distributions for sums of Poisson counts, which are too wide for shares that are not small; Korn and Graubard take an
effective number of trials from v alone, which says nothing where there are no events.

Array suffix: `_i`, one entry a unit.

Sources: Clopper and Pearson 1934, Biometrika 26:404; Korn and Graubard 1998, Survey Methodology 24:193; Fay and Feuer
1997, Statist. Med. 16:791; degrees of freedom, Satterthwaite 1946, Biometrics Bull. 2:110.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from .rates import checked_tail

H = TypeVar("H", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedRate:
    """A share of a population with its interval; `value`, `low`, `high` all None where no estimate is possible."""

    value: float | None
    low: float | None
    high: float | None
    units: int
    """Units that the estimate rests on."""
    reason: str = ""
    """Why there is no estimate; empty where there is one."""


def rate_weighted(
    share_i: ArrayLike,
    weight_i: ArrayLike,
    stratum_i: Sequence[H],
    *,
    sizes: Mapping[H, float] | None = None,
    level: float = 0.95,
) -> WeightedRate:
    """Share of events in a population, p = sum over strata of W_h p_h, with the module's limits.

    Args:
        share_i: shape (n,), of each unit its events over its trials, in [0, 1].
        weight_i: shape (n,), units of the population that it stands for, over 0.
        stratum_i: which stratum it was drawn from.
        sizes: units of the population in each stratum, where the sample lost some; else the sum of the weights.

    p_h is the weighted mean of a stratum, W_h its share of the population. v = sum over h of W_h^2 s_h^2 / n_h, with
    s_h^2 from the stratum's units and one unit more at the rate of the whole (so that a stratum without events has a
    variance, and one unit tells something): s^2 = (n+1)/n^2 [sum(u_i^2) + n/(n+1) (p_h - p)^2], with u_i = n weight_i
    (share_i - p_h) / sum(weight). v is stretched by (t/z)^2 at Satterthwaite's degrees of freedom, where n_h say how
    well s_h^2 is known. There is no correction for a finite population: events are random, too, when all of it is
    tried.

    No units, or a stratum of `sizes` without any: all None, with a reason. Raises ValueError for columns that do not
    fit together, or a level outside (0, 1).
    """
    tail = checked_tail(level)
    y_i, w_i = np.asarray(share_i, dtype=np.float64), np.asarray(weight_i, dtype=np.float64)
    if y_i.ndim != 1 or y_i.shape != w_i.shape or len(stratum_i) != y_i.size:
        raise ValueError("expected three columns of one length, one entry a unit")
    if bool(np.any(~((y_i >= 0) & (y_i <= 1)))) or bool(np.any(~((w_i > 0) & np.isfinite(w_i)))):
        raise ValueError("expected shares in [0, 1] and weights over 0")
    members: dict[H, list[int]] = {}
    for i, stratum in enumerate(stratum_i):
        members.setdefault(stratum, []).append(i)
    of = {h: float(w_i[at].sum()) for h, at in members.items()} if sizes is None else dict(sizes)
    if unseen := [str(h) for h, size in of.items() if size > 0 and h not in members]:
        reason = f"nothing is known of {', '.join(unseen)}" if members else "no units"
        return WeightedRate(value=None, low=None, high=None, units=int(y_i.size), reason=reason)
    if not members:
        return WeightedRate(value=None, low=None, high=None, units=0, reason="no units")
    total = math.fsum(of.values())
    part_h = np.array([of[h] / total for h in members])
    shares = [(y_i[at], w_i[at] / w_i[at].sum()) for at in members.values()]
    p_h = np.array([float(u @ y) for y, u in shares])
    p = min(1.0, max(0.0, math.fsum(part_h * p_h)))
    n_h = np.array([y.size for y, _ in shares], dtype=np.float64)
    spread_h = np.array([float((((y - p_k) * u * y.size) ** 2).sum()) for (y, u), p_k in zip(shares, p_h, strict=True)])
    v_h = part_h**2 * (n_h + 1) / n_h**3 * (spread_h + n_h / (n_h + 1) * (p_h - p) ** 2)
    v = _stretched(v_h, n_h, tail)
    w = max(float(part * u.max()) for part, (_, u) in zip(part_h, shares, strict=True))
    return WeightedRate(
        value=p, low=min(p, 1.0 - upper_limit(1.0 - p, v, w, tail)), high=max(p, upper_limit(p, v, w, tail)),
        units=int(y_i.size),
    )  # fmt: skip


def upper_limit(p: float, variance: float, heaviest: float, tail: float) -> float:
    """The module's upper limit of a share that is estimated as `p`, where one unit is at most `heaviest` of the
    whole."""
    w = heaviest
    mean = (p + w) / (1.0 + w)
    spread = (variance + w**2 * (1.0 - p)) / ((1.0 + w) ** 2 * (1.0 + 2.0 * w))
    if mean >= 1.0 or spread <= 0.0:
        return 1.0
    trials = mean * (1.0 - mean) / spread - 1.0
    return float(betaincinv(trials * mean, trials * (1.0 - mean), 1.0 - tail)) if trials > 0 else 1.0


def _stretched(v_h: NDArray[np.float64], n_h: NDArray[np.float64], tail: float) -> float:
    """The variance, as much larger as Student's t is wider than the normal."""
    v = math.fsum(v_h)
    if v == 0.0:
        return 0.0
    freedom = v**2 / float((v_h**2 / n_h).sum())
    return v * float(stdtrit(freedom, tail) / ndtri(tail)) ** 2
