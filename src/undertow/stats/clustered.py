"""Rates with intervals from counts by (cluster, stratum): strata fixed or a random sample, clusters a random sample
where there are two or more.

Owns the two targets of inference of one table of counts, and the cluster bootstrap on counts. Never mixes the targets.

    `rate_these_strata`   the rate on these strata: strata fixed, outcomes random, clusters random where there are two or more
    `rate_like_strata`    the rate on strata like these: strata are a random sample too

Both weigh every stratum the same. Array suffixes: `_sq`, cluster by stratum; `_g`, one entry a random group.

The bootstrap is not the interval: with few groups or few events its spread is far too small (no event: none at all).
The interval is Clopper and Pearson's with the spread between random groups averaged over. Group g's logit is normal
with sd s about some centre, and p is the mean *rate* of such groups, so that g's count has the likelihood L_g(p, s) =
E[ theta^e_g (1 - theta)^(n_g - e_g) ]. Then
    low  = lower quantile of p under [ sum over s of h(s) prod_g L_g(p, s) ] * p^-1 (1-p)^-0.15,
    high = upper quantile of p under the same with p^-0.15 (1-p)^-1,
where h has 1/4 at s = 0, 2% even from a large sd (2 between strata, 1.25 between clusters) to twice that, and the rest
even from 0 to the large sd. At s = 0, and with the power 0.15 put to 0, these are Clopper and Pearson's limits, which
are the quantiles of binomial likelihood * p^-1 and * (1-p)^-1. Averaging over s does what a t quantile does elsewhere:
a handful of groups says little about s, and h holds the rest. The numbers (power, shares, large sd) were chosen by
simulation so that coverage holds over rates of 0.2 to 30% (benchmarks/verdict.py prints it); where the true sd is far
beyond the large one, as when the events of a population sit in one group in a hundred, nothing here covers.

With three clusters that are in truth alike, such limits cover 100%: three say too little about s. So a limit is never
further than Student's t from the clusters' rates at half its tail (over S - 2 with S clusters, which say more; for a
difference: from the differences a_s - b_s, of which a spread that both sides share is no part), and t's is never nearer
than the limit that takes clusters for alike at three times the tail. Only where there are three clusters or more with
about as many trials, and three events or more in each. It costs coverage at most t's own error.

Sources: Clopper and Pearson 1934, Biometrika 26:404, and as posterior quantiles Brown, Cai and DasGupta 2001, Statist.
Sci. 16:101; logit-normal groups, Williams 1982, Appl. Statist. 31:144; integrated likelihood, Berger, Liseo and Wolpert
1999, Statist. Sci. 14:1; combining half-widths (MOVER), Zou and Donner 2008, Statist. Med. 27:1693.
"""  # noqa: E501

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.special import expit, logit, stdtrit

from .differences import Difference, difference_fixed
from .rates import checked_tail, clopper_pearson

STRATA_SPREAD = 2.0
"""A large sd of logits between strata: up to it, all are held as likely."""
CLUSTER_SPREAD = 1.25
"""The same between clusters."""
ALIKE = 0.25
"""Weight of "no spread at all"."""
HUGE = 0.02
"""Weight of sds beyond the large one, up to twice it."""
PULL = 0.85
"""Power of p (of 1 - p) by which the prior of a limit departs from 1/p (1 - p): 1 is Clopper and Pearson's."""
AGREED, NEAREST = 0.5, 3.0
"""Clusters that agree: share of a limit's tail for Student's t limit (with three; over S - 2 with S), and for the
binomial limit it never passes."""
UNLIKE = 1.25
"""Trials of the largest stratum over those of the smallest from which strata are no longer of about one size."""
LATTICE, FAR = 0.25, 24.0
"""Step of the lattice of logits (up to 3,000 events) and its end on either side."""
_SHARES = np.concatenate([np.full(17, (1.0 - ALIKE - HUGE) / 16), np.full(5, HUGE / 5)])
_SHARES[[0, 16]] /= 2.0
_SHARES[0] += ALIKE


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredRate:
    """A rate with its interval for one named target; `value`, `low`, `high` all None where no estimate is possible."""

    value: float | None
    """Mean over strata of the share of events, clusters pooled within a stratum; every stratum weighs the same."""
    low: float | None
    """Lower limit of the two-sided interval, in [0, 1]."""
    high: float | None
    """Upper limit of the two-sided interval, in [0, 1]."""
    events: int
    """Events, summed."""
    n: int
    """Trials, summed."""
    clusters: int
    """Clusters with trials; random where at least two."""
    strata: int
    """Strata with trials: those the rate is of."""
    reason: str = ""
    """Why there is no estimate, or what the estimate leaves out; may be empty."""


def rate_these_strata(
    events_sq: ArrayLike, n_sq: ArrayLike, *, level: float = 0.95, random_clusters: bool = True
) -> ClusteredRate:
    """Rate on these strata, the mean of theirs: strata fixed; clusters a random sample where at least two have trials,
    unless `random_clusters` is False.

    Both: shape (S, Q), whole counts, 0 <= events <= n. Strata without trials are left out, and `reason` says so.

    One cluster: value p = mean over strata of e/n, and Clopper-Pearson limits at p n_eff events of
        n_eff = p' (1-p') / (sum over q of v_q / n_q) * Q^2,   v_q = p'_q (1 - p'_q) n_q / (n_q - 1),
    with p'_q drawn towards p by one trial of the whole's (so that a stratum without events has a variance), and n_eff
    at most 1.5 times and at least half of the equal-weight size Q^2 / sum(1/n_q). Where strata are unlike, their mean
    varies less than a binomial share. Where one stratum has over `UNLIKE` times the trials of another, an event weighs
    more there: the limits are those of a weighted sum (`_weighted`). More clusters: each cluster's rate and n_eff as
    above, and the module's integrated limits over clusters, nearer where those agree. Clusters that are fixed too:
    every cell is a stratum of its own, so the rate is the mean over these clusters and strata, and limits are those of
    one cluster.
    """
    tail = checked_tail(level)
    if not random_clusters:
        events_sq, n_sq = _one_cluster(events_sq), _one_cluster(n_sq)
    e_sq, m_sq, strata, reason = _checked_table(events_sq, n_sq)
    events, n, clusters = int(e_sq.sum()), int(m_sq.sum()), e_sq.shape[0]
    if n == 0:
        return ClusteredRate(value=None, low=None, high=None, events=0, n=0, clusters=0, strata=0, reason="no trials")
    value = _equal_weight(e_sq.sum(axis=0), m_sq.sum(axis=0))
    low, high = _these(e_sq, m_sq, tail)
    return ClusteredRate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        events=events,
        n=n,
        clusters=clusters,
        strata=strata,
        reason=reason,
    )


def rate_like_strata(events_sq: ArrayLike, n_sq: ArrayLike, *, level: float = 0.95) -> ClusteredRate:
    """Rate on strata like these: strata a random sample, and clusters too where at least two have trials.

    The module's integrated limits over strata, clusters pooled: (l, u). With clusters, what their spread adds to the
    interval of `rate_these_strata` is added in squares on the logit scale, measured from c = logit((events + 1/2) / (n
    + 1)):
        upper distance^2 = (u - c)^2 + max(0, (u_clusters - c)^2 - (u_pooled - c)^2), and the lower alike.
    Fewer than two strata with trials: None, with a reason.

    Rests on a model for the spread of strata: with a handful of strata and few events, no interval free of one covers.
    It holds where the rate comes from many strata, or from a spread up to about 1.5 in logits; not where almost all of
    it comes from one stratum in a hundred.
    """
    tail = checked_tail(level)
    e_sq, m_sq, strata, reason = _checked_table(events_sq, n_sq)
    events, n, clusters = int(e_sq.sum()), int(m_sq.sum()), e_sq.shape[0]
    if strata < 2:
        reason = "no trials" if n == 0 else "one stratum with trials; the spread between strata needs at least two"
        return ClusteredRate(
            value=None, low=None, high=None, events=events, n=n, clusters=clusters, strata=strata, reason=reason
        )
    e_q, m_q = e_sq.sum(axis=0), m_sq.sum(axis=0)
    value = _equal_weight(e_q, m_q)
    low, high = integrated_limits(e_q, m_q, tail, STRATA_SPREAD)
    if clusters > 1:
        wide_low, wide_high = _these(e_sq, m_sq, tail)
        pool_low, pool_high = _these(e_q[None], m_q[None], tail)
        c = float(logit((events + 0.5) / (n + 1.0)))
        low = _further(c, low, wide_low, pool_low, -1.0)
        high = _further(c, high, wide_high, pool_high, 1.0)
    return ClusteredRate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        events=events,
        n=n,
        clusters=clusters,
        strata=strata,
        reason=reason,
    )


def difference_of(a: ClusteredRate | Difference, b: ClusteredRate | Difference) -> Difference:
    """a minus b by square-and-add: low = v - sqrt((a - low_a)^2 + (high_b - b)^2), high = v + sqrt((high_a - a)^2 + (b
    - low_b)^2).

    For two rates with one target and the same strata and clusters; of two differences, the difference in differences.
    Takes the two as
    independent: where they share strata or clusters that raise both, as arms of one search do, the interval is wider
    than it need be. A side without an estimate: None, with its reason. Source: Zou and Donner 2008, Statist. Med.
    27:1693.
    """
    if a.value is None or a.low is None or a.high is None or b.value is None or b.low is None or b.high is None:
        return Difference(
            value=None,
            low=None,
            high=None,
            reason=(a.reason if a.value is None else b.reason) or "no estimate on one side",
        )
    value = a.value - b.value
    return Difference(
        value=value,
        low=value - math.hypot(a.value - a.low, b.high - b.value),
        high=value + math.hypot(a.high - a.value, b.value - b.low),
    )


def difference_these_strata(
    events_a_sq: ArrayLike,
    n_a_sq: ArrayLike,
    events_b_sq: ArrayLike,
    n_b_sq: ArrayLike,
    *,
    level: float = 0.95,
    random_clusters: bool = True,
    far: bool = False,
) -> Difference:
    """Rate of a minus rate of b on these strata, over those that both have: strata fixed; clusters a random sample
    where at least two have trials.

    All four: shape (S, Q), as for `rate_these_strata`; a and b may differ in S. Every stratum weighs the same. One
    cluster and strata of about one size: the limits of `difference_fixed`. Else: `difference_of` the two rates, and
    where both sides have as many clusters, nearer where the differences a_s - b_s agree, as the module says. Row s is
    taken for the same cluster on both sides; where it is not, the order is arbitrary and the interval as good. With
    `random_clusters` False, clusters are fixed too: every cell is a stratum where both sides have as many clusters,
    else the two rates are taken apart.

    `far`: `difference_of` the two rates there too. Wilson's limits, which `difference_fixed` takes, are made for tails
    of some percent; at one in ten thousand and beyond, Clopper and Pearson's err no oftener than they may and tell more
    where b has few events (benchmarks/gate.py counts errors and power of both exactly).

    No stratum that both have: None, with a reason. Raises ValueError for malformed tables, unlike strata or a level
    outside (0, 1).
    """
    tail = checked_tail(level)
    alike = np.shape(n_a_sq) == np.shape(n_b_sq)
    if not random_clusters and alike:
        events_a_sq, n_a_sq, events_b_sq, n_b_sq = (_one_cluster(x) for x in (events_a_sq, n_a_sq, events_b_sq, n_b_sq))
    tables = _shared(events_a_sq, n_a_sq, events_b_sq, n_b_sq)
    if tables is None:
        return Difference(value=None, low=None, high=None, reason="no stratum has trials on both sides")
    e_a, m_a, e_b, m_b = tables
    if not far and len(e_a) == len(e_b) == 1 and m_a.max() <= UNLIKE * m_a.min() and m_b.max() <= UNLIKE * m_b.min():
        return _equal_weights(e_a[0], m_a[0], e_b[0], m_b[0], level)
    a, b = (rate_these_strata(e, m, level=level, random_clusters=random_clusters) for e, m in ((e_a, m_a), (e_b, m_b)))
    found = difference_of(a, b)
    if e_a.shape != e_b.shape or not (_agreeable(e_a + e_b, m_a) and _agreeable(m_a + m_b - e_a - e_b, m_b)):
        return found
    near = difference_fixed(
        e_a.sum(axis=0), m_a.sum(axis=0), e_b.sum(axis=0), m_b.sum(axis=0), level=1.0 - 2.0 * min(0.49, NEAREST * tail)
    )
    ends = (found.value, found.low, found.high, near.value, near.low, near.high)
    # none is: there are trials
    value, low, high, near_value, near_low, near_high = (math.nan if x is None else x for x in ends)
    half = _student((e_a / m_a - e_b / m_b).mean(axis=1), tail)
    return Difference(
        value=value,
        low=max(low, value - max(half, near_value - near_low)),
        high=min(high, value + max(half, near_high - near_value)),
    )


def difference_like_strata(
    events_a_sq: ArrayLike, n_a_sq: ArrayLike, events_b_sq: ArrayLike, n_b_sq: ArrayLike, *, level: float = 0.95
) -> Difference:
    """Rate of a minus rate of b on strata like these, from those that both have: `difference_of` their
    `rate_like_strata`.

    Wide where arms share what makes a stratum hard, or have few events: Student's t from the strata's differences is
    near half as wide and covers some 80% where strata differ by an sd of 1.5 in logits. Reasons and errors as for
    `difference_these_strata`.
    """
    tables = _shared(events_a_sq, n_a_sq, events_b_sq, n_b_sq)
    if tables is None:
        return Difference(value=None, low=None, high=None, reason="no stratum has trials on both sides")
    e_a, m_a, e_b, m_b = tables
    return difference_of(rate_like_strata(e_a, m_a, level=level), rate_like_strata(e_b, m_b, level=level))


def _equal_weights(
    e_a: NDArray[np.float64], m_a: NDArray[np.float64], e_b: NDArray[np.float64], m_b: NDArray[np.float64], level: float
) -> Difference:
    """`difference_fixed` of strata of about one size, moved to where every stratum weighs the same."""
    found = difference_fixed(e_a, m_a, e_b, m_b, level=level)
    assert found.value is not None and found.low is not None and found.high is not None  # there are trials
    value = _equal_weight(e_a, m_a) - _equal_weight(e_b, m_b)
    return Difference(
        value=value, low=max(-1.0, found.low + value - found.value), high=min(1.0, found.high + value - found.value)
    )


def _shared(*tables: ArrayLike) -> tuple[NDArray[np.float64], ...] | None:
    """The four tables cut to the strata with trials on both sides and the clusters with trials; None without such a
    stratum."""
    (e_a, m_a), (e_b, m_b) = _checked_counts(*tables[:2]), _checked_counts(*tables[2:])
    if e_a.shape[1] != e_b.shape[1]:
        raise ValueError(
            f"a has {e_a.shape[1]} strata and b has {e_b.shape[1]}; expected the same strata in the same order"
        )
    both = (m_a.sum(axis=0) > 0) & (m_b.sum(axis=0) > 0)
    if not bool(both.any()):
        return None
    a, b = m_a[:, both].sum(axis=1) > 0, m_b[:, both].sum(axis=1) > 0
    return e_a[a][:, both], m_a[a][:, both], e_b[b][:, both], m_b[b][:, both]


def integrated_limits(events_g: ArrayLike, n_g: ArrayLike, tail: float, spread: float) -> tuple[float, float]:
    """Limits for the mean rate of the population that the groups are a sample of, `tail` outside each; see the module.

    `spread`: the large sd of logits of the module. Counts may be fractional (effective sizes). No events: low is 0;
    nothing but events: high is 1.
    """
    pairs = sorted(
        zip(np.asarray(events_g, dtype=np.float64).tolist(), np.asarray(n_g, dtype=np.float64).tolist(), strict=True)
    )
    return _integrated(tuple(pairs), tail, spread)


@lru_cache(maxsize=4096)  # arms without events have one table
def _integrated(groups: tuple[tuple[float, float], ...], tail: float, spread: float) -> tuple[float, float]:
    pairs: dict[tuple[float, float], int] = {}
    for group in groups:
        pairs[group] = pairs.get(group, 0) + 1
    events, n = math.fsum(e for e, _ in groups), math.fsum(m for _, m in groups)
    centre = float(logit((events + 0.5) / (n + 1.0)))
    reach = 3.0 + 12.0 / math.sqrt(max(0.0, min(events, n - events)) + 1.0) + spread**2 / 2.0
    # The log-likelihood is smooth on the scale of one logit, whatever the counts: a cubic spline over a lattice errs by
    # its fourth
    # derivative, at most some n / 8, times step^4 / 77. One lattice for all tables, so that groups of whole counts are
    # found again.
    step = LATTICE / 2.0 ** max(0, math.ceil(math.log2(max(1.0, min(events, n - events)) / 3000.0) / 4.0))
    first, last = (round(max(-FAR, min(FAR, x)) / step + FAR / step) for x in (centre - reach, centre + reach))
    window = slice(first, last + 1)
    x, mu = _lattice(spread, step)
    log_l = np.zeros_like(mu[:, window])
    for (e, m), times in pairs.items():
        whole = e.is_integer() and m.is_integer() and m <= 200.0  # of more, few come twice
        log_l += times * (
            _whole_group(e, m, spread, step)[:, window] if whole else _one_group(e, m, mu[:, window], _spreads(spread))
        )
    x = x[window]
    curve = CubicSpline(x, log_l - log_l.max(), axis=1)
    grid, density = x, _SHARES @ np.exp(log_l - log_l.max())
    for _ in range(2):  # the second time, so that the steps suit a peak far narrower than the lattice's
        seen = np.flatnonzero(density > 1e-9 * density.max())
        grid = np.linspace(grid[max(0, seen[0] - 1)], grid[min(grid.size - 1, seen[-1] + 1)], 301)
        density = _SHARES @ np.exp(curve(grid))
    limits = []
    for side, edge, bound in ((-1, events <= 0.0, 0.0), (1, events >= n, 1.0)):
        # p^-1 dp is (1 - p) dlogit(p), and (1-p)^-1 dp is p dlogit(p).
        weighed = density * expit(side * grid) ** PULL
        mass = np.concatenate([[0.0], np.cumsum((weighed[1:] + weighed[:-1]) / 2.0)])
        limits.append(
            bound if edge else float(expit(np.interp((tail if side < 0 else 1.0 - tail) * mass[-1], mass, grid)))
        )
    return limits[0], limits[1]


def _spreads(spread: float) -> NDArray[np.float64]:
    return spread * np.concatenate([np.linspace(0.0, 1.0, 17), np.linspace(1.2, 2.0, 5)])


@lru_cache(maxsize=16)
def _lattice(spread: float, step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logits of rates, and the centre of the logit-normal that has that mean rate, shape (spreads, rates)."""
    x = np.arange(-round(FAR / step), round(FAR / step) + 1, dtype=np.float64) * step
    return x, np.stack([np.interp(x, _mean_table(float(s)), _MU) for s in _spreads(spread)])


@lru_cache(maxsize=512)
def _whole_group(e: float, m: float, spread: float, step: float) -> NDArray[np.float64]:
    return _one_group(e, m, _lattice(spread, step)[1], _spreads(spread))


def bootstrap_rates(
    events_csq: ArrayLike,
    n_csq: ArrayLike,
    *,
    draws: int = 2000,
    random_clusters: bool = True,
    random_strata: bool = False,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Cluster bootstrap of the equal-weight rate on counts, shape (draws, C): percentiles and standard errors for
    display.

    `events_csq`, `n_csq`: shape (C, S, Q), arm by cluster by stratum. Every draw gives clusters, and strata where
    random, the multinomial weights of resampling with replacement, the same for all arms, so that differences of
    columns are paired; where clusters are not random (one cluster), outcomes are redrawn within cells as binomials
    instead. A draw in which no stratum of an arm has trials is NaN. Never from single trials: a million rows are C S Q
    counts. Source: Davison and Hinkley 1997, Bootstrap Methods, 3.8.
    """
    e_csq, m_csq = np.asarray(events_csq, dtype=np.float64), np.asarray(n_csq, dtype=np.float64)
    if e_csq.ndim != 3 or e_csq.shape != m_csq.shape or bool(np.any((e_csq < 0) | (e_csq > m_csq))):
        raise ValueError(
            f"counts have shapes {e_csq.shape} and {m_csq.shape}; expected (arm, cluster, stratum) twice, with 0 <= "
            "events <= n"
        )
    arms, clusters, strata = e_csq.shape
    rng = np.random.default_rng(seed)
    w_ds = rng.multinomial(clusters, np.full(clusters, 1.0 / clusters), size=draws).astype(np.float64)
    w_dq = (
        rng.multinomial(strata, np.full(strata, 1.0 / strata), size=draws).astype(np.float64)
        if random_strata
        else np.ones((draws, strata))
    )
    n_dcq: NDArray[np.float64]
    if random_clusters and clusters > 1:
        e_dcq = np.tensordot(w_ds, e_csq, axes=(1, 1))
        n_dcq = np.tensordot(w_ds, m_csq, axes=(1, 1))
    else:
        m_cq = m_csq.sum(axis=1)
        p_cq = np.divide(e_csq.sum(axis=1), m_cq, out=np.zeros_like(m_cq), where=m_cq > 0)
        e_dcq = rng.binomial(m_cq.astype(np.int64), p_cq, size=(draws, arms, strata)).astype(np.float64)
        n_dcq = np.broadcast_to(m_cq, e_dcq.shape)
    rate_dcq = np.divide(e_dcq, n_dcq, out=np.zeros_like(e_dcq), where=n_dcq > 0)
    weight_dcq = w_dq[:, None, :] * (n_dcq > 0)
    total_dc = weight_dcq.sum(axis=2)
    summed_dc = (rate_dcq * weight_dcq).sum(axis=2)
    found: NDArray[np.float64] = np.divide(summed_dc, total_dc, out=np.full_like(total_dc, np.nan), where=total_dc > 0)
    return found


def count_cells(
    arm: ArrayLike, cluster: ArrayLike, stratum: ArrayLike, event: ArrayLike, shape: tuple[int, int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts (events, n), each of `shape` (arms, clusters, strata), from one entry a trial: three integer codes from 0,
    and 0 or 1.

    Raises ValueError for columns of unlike length or a code outside the shape.
    """
    codes = [np.asarray(a, dtype=np.int64) for a in (arm, cluster, stratum)]
    x = np.asarray(event)
    if any(c.shape != x.shape or c.ndim != 1 for c in codes):
        raise ValueError("expected four columns of one length")
    if x.size and (
        any(int(c.min()) < 0 or int(c.max()) >= k for c, k in zip(codes, shape, strict=True))
        or not bool(np.all((x == 0) | (x == 1)))
    ):
        raise ValueError(f"a code lies outside {shape}, or an event is neither 0 nor 1")
    cell = (codes[0] * shape[1] + codes[1]) * shape[2] + codes[2]
    size = math.prod(shape)
    n = np.bincount(cell, minlength=size).reshape(shape)
    return np.bincount(cell[x.astype(bool)], minlength=size).reshape(shape).astype(np.int64), n.astype(np.int64)


def _checked_counts(events_sq: ArrayLike, n_sq: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    e_sq, m_sq = np.asarray(events_sq, dtype=np.float64), np.asarray(n_sq, dtype=np.float64)
    if e_sq.ndim != 2 or e_sq.shape != m_sq.shape:
        raise ValueError(f"counts have shapes {e_sq.shape} and {m_sq.shape}; expected (cluster, stratum) twice")
    if not bool(np.all((e_sq >= 0) & (e_sq <= m_sq) & (m_sq == np.floor(m_sq)) & (e_sq == np.floor(e_sq)))):
        raise ValueError("expected whole counts with 0 <= events <= n")
    return e_sq, m_sq


def _one_cluster(x_sq: ArrayLike) -> NDArray[np.float64]:
    """Every cell as a stratum of one cluster."""
    x = np.asarray(x_sq, dtype=np.float64)
    return x.reshape(1, -1) if x.ndim == 2 else x


def _checked_table(events_sq: ArrayLike, n_sq: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], int, str]:
    """The table without clusters and strata that have no trials."""
    e_sq, m_sq = _checked_counts(events_sq, n_sq)
    s, q = (m_sq > 0).any(axis=1), (m_sq > 0).any(axis=0)
    left_out = int((~q).sum())
    return (
        e_sq[s][:, q],
        m_sq[s][:, q],
        int(q.sum()),
        (f"{left_out} strata without trials are left out") if left_out else "",
    )


def _equal_weight(e_q: NDArray[np.float64], m_q: NDArray[np.float64]) -> float:
    return math.fsum(e_q / m_q) / e_q.size


@dataclass(frozen=True, slots=True)
class _Effective:
    """A binomial count, events of n, that stands for the equal-weight rate of independent strata: one for the lower
    limit and one for the upper."""

    low: tuple[float, float]
    high: tuple[float, float]


def _effective(e_q: NDArray[np.float64], m_q: NDArray[np.float64]) -> _Effective:
    """Strata with about as many trials: one count with the value and the variance of the rate. With unlike numbers: Fay
    and Feuer's counts for a weighted sum."""
    e_q, m_q = e_q[m_q > 0], m_q[m_q > 0]
    p = _equal_weight(e_q, m_q)
    size = e_q.size**2 / math.fsum(1.0 / m_q)
    if m_q.max() > UNLIKE * m_q.min():
        return _weighted(e_q, 1.0 / (e_q.size * m_q), p, size)
    if 0.0 < p < 1.0:
        p_q = (e_q + p) / (m_q + 1.0)
        v_q = p_q * (1.0 - p_q) * (m_q + 1.0) / m_q
        size = min(1.5 * size, max(0.5 * size, p * (1.0 - p) * e_q.size**2 / math.fsum(v_q / m_q)))
    return _Effective((p * size, size), (p * size, size))


def _weighted(e_q: NDArray[np.float64], w_q: NDArray[np.float64], p: float, size: float) -> _Effective:
    """Counts for the limits of the weighted sum p of events e_q with weights w_q, after Fay and Feuer 1997, Statist.
    Med. 16:791, with binomial for Poisson counts.

    Lower: x = p^2 / v events at p = x / n, v = sum(w^2 e), so that one event in a stratum that hardly has trials is one
    event of few. Upper: as if one more event had fallen where it weighs most. With equal weights both are the count
    itself.
    """
    variance, most = math.fsum(w_q**2 * e_q), float(w_q.max())
    low = (p * p / variance, p / variance) if variance > 0.0 else (0.0, size)
    shifted = p + most
    x = shifted**2 / (variance + most**2)
    return _Effective(low, (x - 1.0, max(x - 1.0, x / shifted)))


def _these(e_sq: NDArray[np.float64], m_sq: NDArray[np.float64], tail: float) -> tuple[float, float]:
    found = [_effective(e_q, m_q) for e_q, m_q in zip(e_sq, m_sq, strict=True)]
    (low_e, low_n), (high_e, high_n) = (np.array([getattr(f, side) for f in found]).T for side in ("low", "high"))
    if len(found) == 1:
        return clopper_pearson(float(low_e[0]), float(low_n[0] - low_e[0]), tail)[0], clopper_pearson(
            float(high_e[0]), float(high_n[0] - high_e[0]), tail
        )[1]
    low, high = (
        integrated_limits(low_e, low_n, tail, CLUSTER_SPREAD)[0],
        integrated_limits(high_e, high_n, tail, CLUSTER_SPREAD)[1],
    )
    if not (_agreeable(e_sq, m_sq) and _agreeable(m_sq - e_sq, m_sq)):
        return low, high
    e_q, m_q = e_sq.sum(axis=0), m_sq.sum(axis=0)
    p, pooled = _equal_weight(e_q, m_q), _effective(e_q, m_q)
    near_low, near_high = (
        clopper_pearson(e, n - e, min(0.5, NEAREST * tail))[side]
        for side, (e, n) in enumerate((pooled.low, pooled.high))
    )
    centre, half = float(logit(p)), _student((e_sq / m_sq).mean(axis=1), tail) / (p * (1.0 - p))
    return max(low, min(near_low, float(expit(centre - half)))), min(high, max(near_high, float(expit(centre + half))))


def _agreeable(events_sq: NDArray[np.float64], n_sq: NDArray[np.float64]) -> bool:
    """Whether the spread of clusters' rates says something: three or more, three or more events in each, about as many
    trials, no empty cell."""
    n_s = n_sq.sum(axis=1)
    return (
        len(n_s) >= 3
        and bool(n_sq.all())
        and bool(events_sq.sum(axis=1).min() >= 3)
        and bool(n_s.max() <= 2 * n_s.min())
    )


def _student(x_s: NDArray[np.float64], tail: float) -> float:
    return -float(stdtrit(len(x_s) - 1, AGREED / (len(x_s) - 2) * tail)) * float(x_s.std(ddof=1)) / math.sqrt(len(x_s))


def _further(c: float, limit: float, wide: float, pooled: float, side: float) -> float:
    """A limit moved out by what `wide` has over `pooled`, in squares of logit distances from c; a limit at 0 or 1
    stays."""
    if limit in (0.0, 1.0) or wide in (0.0, 1.0):
        return min(limit, wide) if side < 0 else max(limit, wide)
    own, more, less = (float(logit(x)) - c for x in (limit, wide, pooled))
    if side * own <= 0.0:
        return limit
    return float(expit(c + side * math.sqrt(own**2 + max(0.0, more**2 - less**2))))


def _one_group(e: float, m: float, mu: NDArray[np.float64], spreads: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the binomial likelihood averaged over a normal logit, without constants, at centres `mu`, shape (spreads,
    rates).

    Trapezoid sums, which for such smooth integrands are exact to many digits at a step under the narrower factor's
    width.
    """
    p = min(max(e, 0.5), m - 0.5) / m if m > 1.0 else 0.5
    width = 1.0 / math.sqrt(m * p * (1.0 - p))
    inner = 0.0 < e < m
    mode = math.log(e / (m - e)) if inner else 0.0

    def log_lik(eta: NDArray[np.float64]) -> NDArray[np.float64]:
        soft = np.logaddexp(0.0, eta)
        return np.asarray(e * eta - m * soft, dtype=np.float64)

    top = e * mode - m * math.log1p(math.exp(mode)) if inner else 0.0
    out = np.empty_like(mu)
    narrow = (spreads < width) | (not inner)
    # The normal is the narrower factor, or the likelihood has no mode: nodes over the normal.
    z = np.linspace(-5.0, 5.0, 17 if inner else 31)
    w = np.exp(-0.5 * z**2)
    w /= w.sum()
    if bool(narrow.any()):
        eta = mu[narrow][:, :, None] + spreads[narrow][:, None, None] * z
        value = log_lik(eta) - top
        peak = value.max(axis=2)
        out[narrow] = peak + np.log(np.exp(value - peak[:, :, None]) @ w)
    if not bool(narrow.all()):
        # The likelihood is: nodes over the stretch where it is above exp(-15) of its peak, weighing the normal density
        # there.
        left, right = max(6.0 * width, 15.0 / e), max(6.0 * width, 15.0 / (m - e))
        eta_k = mode + np.arange(-left, right, 0.75 * width)
        lik_k = np.exp(log_lik(eta_k) - top)
        keep = lik_k > 3e-7
        eta_k, lik_k = eta_k[keep], lik_k[keep] * 0.75 * width
        s = spreads[~narrow][:, None]
        dev = (eta_k - mu[~narrow][:, :, None]) / s[:, :, None]
        power = -0.5 * dev**2
        peak = power.max(axis=2)
        out[~narrow] = peak + np.log(np.exp(power - peak[:, :, None]) @ lik_k) - np.log(s * math.sqrt(2.0 * math.pi))
    return out


_MU = np.linspace(-45.0, 45.0, 1801)


@lru_cache(maxsize=64)
def _mean_table(s: float) -> NDArray[np.float64]:
    """Logit of the mean of a logit-normal rate of sd s, at each of _MU."""
    z = np.linspace(-8.0, 8.0, 129)
    w = np.exp(-0.5 * z**2)
    w /= w.sum()
    x = _MU[:, None] + s * z
    return np.asarray(np.log(expit(x) @ w) - np.log(expit(-x) @ w), dtype=np.float64)
