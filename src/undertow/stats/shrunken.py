"""Shares of several strata, each drawn towards that of all as far as the strata are alike: a few trials a stratum say
more together.

Owns the empirical Bayes estimate. Stratum q has share r_q, and k_q of n_q trials; the r_q are taken to be Beta(D r, D
(1 - r)) about the pooled share r, where D, the trials' worth by which a stratum is drawn, comes from the spread between
strata by the method of moments: their variance, less what trials alone would make of it, is r (1 - r) / (D + 1). Kept
within `DRAWN`: strata that look alike may hide one that is not, and strata that differ still say something of each
other. Source: Kleinman 1973, J. Am. Statist. Assoc. 68:46.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

DRAWN = (2.0, 20.0)
"""Trials' worth by which a stratum is drawn towards all, at the least and at the most."""
TAIL = 0.1
"""Chance on either side that a stratum's share lies outside its limits."""


class Share(NamedTuple):
    """A share with its limits, each in [0, 1]."""

    likely: float
    least: float
    most: float


def shrunken_shares(events_q: ArrayLike, n_q: ArrayLike, *, tail: float = TAIL) -> list[Share]:
    """For each stratum its share and limits. A stratum without trials: the pooled share, and anything from 0 to 1,
    since nothing is known of it alone.

    Args:
        events_q, n_q: shape (Q,), whole counts with 0 <= events <= n.
        tail: chance outside either limit.
    """
    k_q, m_q = np.asarray(events_q, dtype=np.float64), np.asarray(n_q, dtype=np.float64)
    there = m_q > 0
    if not there.any():
        return [Share(1.0, 0.0, 1.0)] * len(m_q)
    k, m = k_q[there], m_q[there]
    pooled = float(k.sum() / m.sum())
    drawn = _drawn(k / m, m, pooled)
    found = iter(_share(float(e), float(n), pooled, drawn, tail) for e, n in zip(k, m, strict=True))
    return [next(found) if here else Share(pooled, 0.0, 1.0) for here in there]


def _drawn(
    share_q: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]],
    m_q: np.ndarray[tuple[int], np.dtype[np.float64]],
    pooled: float,
) -> float:
    """Trials' worth by which a stratum is drawn."""
    within = pooled * (1.0 - pooled)
    if len(m_q) < 2:
        return DRAWN[0]
    if within == 0.0:
        return DRAWN[1]
    spread = float(np.var(share_q, ddof=1)) - float(np.mean(within / m_q))
    return DRAWN[1] if spread <= 0.0 else min(DRAWN[1], max(DRAWN[0], within / spread - 1.0))


def _share(events: float, n: float, pooled: float, drawn: float, tail: float) -> Share:
    """Posterior mean and limits of one stratum's share; a limit is 0 where no trial anywhere was an event, and 1 where
    all were."""
    a, b = events + drawn * pooled, n - events + drawn * (1.0 - pooled)
    least = 0.0 if a == 0.0 else float(tail ** (1.0 / a)) if b == 0.0 else float(betaincinv(a, b, tail))
    most = 1.0 if b == 0.0 else float(1.0 - tail ** (1.0 / b)) if a == 0.0 else float(betaincinv(a, b, 1.0 - tail))
    return Share(a / (a + b), least, most)
