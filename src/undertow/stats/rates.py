"""Rates with intervals, from counts of events in groups.

Owns the two readings of one table of counts: groups fixed (`rate_fixed`) and groups a random sample (`rate_clustered`),
the limits of Clopper and Pearson, and the check of such a table (`checked_counts`). Never gives a number where there is
no data: the fields are None and `reason` says why.

Array suffix: `_q`, one entry a group (a stratum where groups are fixed, a cluster where they are random).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, stdtrit


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of trials with its interval; `value`, `low`, `high` all None where no estimate is possible."""

    value: float | None
    """Share of trials that are events, in [0, 1]."""
    low: float | None
    """Lower limit of the two-sided interval, in [0, 1]."""
    high: float | None
    """Upper limit of the two-sided interval, in [0, 1]."""
    events: int
    """Events, summed over groups."""
    n: int
    """Trials, summed over groups."""
    reason: str = ""
    """Why there is no estimate; empty where there is one."""


def rate_fixed(events_q: ArrayLike, n_q: ArrayLike, *, level: float = 0.95) -> Rate:
    """Pooled rate sum(events)/sum(n) with the Clopper-Pearson interval: groups fixed, trials within them random.

    `events_q`, `n_q`: shape (Q,), whole counts with 0 <= events <= n; Q may be 0. A group with n = 0 changes nothing.
    The interval is for the rate of these groups at these sizes, sum(n_q p_q) / sum(n_q).

    Exact (coverage at least `level`) where all groups share one rate. Where rates differ, the pooled count is a sum of
    unlike Bernoulli trials, whose tails beyond one count of its mean are no heavier than the binomial's (Hoeffding
    1956), so the interval is conservative there too.

    No trials: all None, with a reason. Raises ValueError for a malformed table or a level outside (0, 1).

    Sources: Clopper and Pearson 1934, Biometrika 26:404; Hoeffding 1956, Ann. Math. Statist. 27:713.
    """
    tail = checked_tail(level)
    e_q, m_q = checked_counts(events_q, n_q)
    events, n = int(e_q.sum()), int(m_q.sum())
    if n == 0:
        return Rate(value=None, low=None, high=None, events=0, n=0, reason="no trials")
    low, high = clopper_pearson(float(events), float(n - events), tail)
    return Rate(value=events / n, low=low, high=high, events=events, n=n)


def rate_clustered(events_q: ArrayLike, n_q: ArrayLike, *, level: float = 0.95) -> Rate:
    """Pooled rate with the Korn-Graubard interval: groups are a random sample of clusters, so trials of one group are
    alike.

    `events_q`, `n_q`: shape (Q,), whole counts with 0 <= events <= n. Clusters with n = 0 change nothing; K are left.

    With p = sum(events)/sum(n), N = sum(n):
        v      = K/(K-1) * sum((events_q - p n_q)^2) / N^2     (linearised between-cluster variance of the ratio)
        deff   = max(1, v / (p (1-p) / N))                     (so the effective size never exceeds N)
        n_eff  = N / deff * (t[N-1] / t[K-1])^2                (t: upper (1-level)/2 quantiles of Student's t)
    and Clopper-Pearson limits at the fractional counts n_eff p and n_eff (1-p).

    No events, or nothing but events: v is 0 and tells nothing of the clustering, so deff is 1 and only the t factor
    widens the interval. Where trials of a cluster are strongly alike, that is too narrow. The method is approximate;
    with few clusters and events in a handful of them its coverage falls below `level`.

    Fewer than two clusters with trials: value, low and high None, with a reason. Raises ValueError for a malformed
    table or a level outside (0, 1).

    Sources: Korn and Graubard 1998, Survey Methodology 24:193; the linearised variance, Cochran 1977, Sampling
    Techniques, 6.
    """
    tail = checked_tail(level)
    e_q, m_q = checked_counts(events_q, n_q)
    e_q, m_q = e_q[m_q > 0], m_q[m_q > 0]
    clusters, events, n = int(m_q.size), int(e_q.sum()), int(m_q.sum())
    if clusters < 2:
        reason = (
            "no trials"
            if clusters == 0
            else ("one cluster with trials; the variance between clusters needs at least two")
        )
        return Rate(value=None, low=None, high=None, events=events, n=n, reason=reason)
    p = events / n
    deff = 1.0
    if 0 < events < n:
        variance = clusters / (clusters - 1) * math.fsum((e_q - p * m_q) ** 2) / n**2
        deff = max(1.0, variance / (p * (1.0 - p) / n))
    t_factor = (float(stdtrit(n - 1, tail)) / float(stdtrit(clusters - 1, tail))) ** 2
    n_eff = n / deff * t_factor
    # From whole counts, so that a side with none is exactly 0 and not a rounding error.
    low, high = clopper_pearson(n_eff * (events / n), n_eff * ((n - events) / n), tail)
    return Rate(value=p, low=low, high=high, events=events, n=n)


def clopper_pearson(events: float, others: float, tail: float) -> tuple[float, float]:
    """Limits for a binomial share with `tail` outside each, from events and other trials, which may be fractional
    (effective sizes)."""
    low = 0.0 if events == 0 else float(betaincinv(events, others + 1.0, tail))
    high = 1.0 if others == 0 else float(betaincinv(events + 1.0, others, 1.0 - tail))
    return low, high


def checked_counts(events_q: ArrayLike, n_q: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both columns of a table of counts as int64, shape (Q,).

    Raises ValueError unless both have one dimension and the same length and hold whole numbers with 0 <= events <= n.
    """
    e_q, m_q = _whole("events_q", events_q), _whole("n_q", n_q)
    if e_q.shape != m_q.shape:
        raise ValueError(f"events_q has {e_q.size} entries and n_q has {m_q.size}; expected one of each a group")
    bad = np.flatnonzero((e_q < 0) | (e_q > m_q))
    if bad.size:
        q = int(bad[0])
        raise ValueError(f"group {q}: {e_q[q]} events in {m_q[q]} trials; expected 0 <= events <= n")
    return e_q, m_q


def checked_tail(level: float) -> float:
    """Probability of one tail, (1 - level) / 2. Raises ValueError unless 0 < level < 1."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, such as 0.95")
    return (1.0 - level) / 2.0


def _whole(name: str, counts: ArrayLike) -> NDArray[np.int64]:
    values = np.asarray(counts)
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {values.shape}; expected one dimension, one entry a group")
    if values.size == 0:
        return np.zeros(0, dtype=np.int64)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {values.dtype}; expected whole numbers")
    if not bool(np.all(np.isfinite(values))) or bool(np.any(values != np.floor(values.astype(np.float64)))):
        raise ValueError(f"{name} holds a number that is not whole; expected counts")
    return values.astype(np.int64)
