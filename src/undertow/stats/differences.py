"""Differences of two rates with intervals, from two tables of counts over the same groups.

Owns the pairing by group and the square-and-add interval. Never compares groups that only one side has.

Array suffix: `_q`, one entry a group; entry q is the same group in all four arrays.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from .rates import checked_counts, checked_tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A rate minus another with its interval; `value`, `low`, `high` all None where no estimate is possible."""

    value: float | None
    """First rate minus second, in [-1, 1]."""
    low: float | None
    """Lower limit of the two-sided interval, in [-1, 1]."""
    high: float | None
    """Upper limit of the two-sided interval, in [-1, 1]."""
    reason: str = ""
    """Why there is no estimate; empty where there is one."""


def difference_fixed(
    events_a_q: ArrayLike, n_a_q: ArrayLike, events_b_q: ArrayLike, n_b_q: ArrayLike, *, level: float = 0.95
) -> Difference:
    """Rate of a minus rate of b over the groups both have: groups fixed, trials within them random and independent.

    All four: shape (Q,), whole counts with 0 <= events <= n. Only groups with trials on both sides count, and both
    sides give a group the same weight w_q = (n_a_q + n_b_q) / sum(n_a + n_b), so that a side's uneven sampling of
    groups is no difference:
        value = sum(w_q (events_a_q / n_a_q - events_b_q / n_b_q)).

    Each side's weighted rate p gets Wilson score limits (l, u) at an effective size, and the limits are squared and
    added:
        low  = value - sqrt((p_a - l_a)^2 + (u_b - p_b)^2)
        high = value + sqrt((u_a - p_a)^2 + (p_b - l_b)^2).
    The effective size is Kish's 1 / sum(w_q^2 / n_q), or p (1-p) / sum(w_q^2 p_q (1-p_q) / n_q) if that is smaller,
    which it is where the thinly sampled groups are the uncertain ones. Where n_a is proportional to n_b over groups,
    both sizes are at least the pooled n and the first is the pooled n: the interval is Newcombe's method 10 on pooled
    counts. Approximate, not exact.

    No shared group: all None, with a reason. Raises ValueError for malformed tables, tables of unlike length, or a
    level outside (0, 1).

    Sources: Newcombe 1998, Statistics in Medicine 17:873, method 10; square-and-add in general (MOVER), Zou and Donner
    2008, Statistics in Medicine 27:1693; Wilson 1927, JASA 22:209; effective size, Kish 1965, Survey Sampling, 11.7.
    """
    tail = checked_tail(level)
    e_a_q, m_a_q = checked_counts(events_a_q, n_a_q)
    e_b_q, m_b_q = checked_counts(events_b_q, n_b_q)
    if m_a_q.size != m_b_q.size:
        raise ValueError(
            f"a has {m_a_q.size} groups and b has {m_b_q.size}; expected the same groups in the same order"
        )
    shared = (m_a_q > 0) & (m_b_q > 0)
    if not bool(shared.any()):
        return Difference(value=None, low=None, high=None, reason="no group has trials on both sides")
    e_a_q, m_a_q, e_b_q, m_b_q = e_a_q[shared], m_a_q[shared], e_b_q[shared], m_b_q[shared]
    total_q = m_a_q + m_b_q
    z = -float(ndtri(tail))
    p_a, low_a, high_a = _weighted_wilson(e_a_q, m_a_q, total_q, z)
    p_b, low_b, high_b = _weighted_wilson(e_b_q, m_b_q, total_q, z)
    value = p_a - p_b
    low = value - math.hypot(p_a - low_a, high_b - p_b)
    high = value + math.hypot(high_a - p_a, p_b - low_b)
    return Difference(value=value, low=max(-1.0, low), high=min(1.0, high))


def _weighted_wilson(
    e_q: NDArray[np.int64], m_q: NDArray[np.int64], total_q: NDArray[np.int64], z: float
) -> tuple[float, float, float]:
    """Rate weighted by total_q, and its Wilson limits at the effective size; every m_q > 0."""
    w_q = total_q / int(total_q.sum())
    p_q = e_q / m_q
    if not e_q.any():
        p = 0.0
    elif bool(np.all(e_q == m_q)):
        p = 1.0
    else:
        p = math.fsum(w_q * p_q)
    n_eff = 1.0 / math.fsum(w_q**2 / m_q)
    variance = math.fsum(w_q**2 * p_q * (1.0 - p_q) / m_q)
    if variance > 0.0:
        n_eff = min(n_eff, p * (1.0 - p) / variance)
    centre = p + z**2 / (2.0 * n_eff)
    half = z * math.sqrt(p * (1.0 - p) / n_eff + z**2 / (4.0 * n_eff**2))
    scale = 1.0 + z**2 / n_eff
    # The limits lie at or beyond p; at p = 0 or 1 rounding could put them a hair inside.
    return p, min(p, max(0.0, (centre - half) / scale)), max(p, min(1.0, (centre + half) / scale))
