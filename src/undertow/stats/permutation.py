"""Paired permutation test of one arm against another over strata, and the false-discovery correction.

Owns the sign-flip test and Benjamini-Hochberg. Never decides which comparisons are a family.

Array suffix: `_q`, one entry a stratum; entry q is the same stratum on both sides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .multiplicity import checked_p_values

EXACT = 12
"""Strata up to which all 2^Q sign patterns are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permutation:
    """A permutation p-value; None where no test is possible."""

    p: float | None
    """Share of sign patterns at least as extreme as the data."""
    strata: int
    """Strata that have trials on both sides."""
    least: float | None
    """Smallest p that this many strata with a difference can give: a test above it in level can never reject."""
    exact: bool
    """Whether all patterns were counted, rather than a sample of them."""
    reason: str = ""
    """Why there is no test; empty where there is one."""


def sign_flip(
    events_a_q: ArrayLike,
    n_a_q: ArrayLike,
    events_b_q: ArrayLike,
    n_b_q: ArrayLike,
    *,
    one_sided: bool = False,
    draws: int = 20000,
    seed: int = 0,
) -> Permutation:
    """p-value of "in every stratum, a and b are alike", from the mean over strata of d_q = events_a/n_a - events_b/n_b.

    Under the null each d_q is as likely as -d_q (exactly where n_a = n_b, since labels could be swapped; with unlike n
    only nearly). p is the share of the 2^Q sign patterns whose mean is at least as large as the observed, in absolute
    value unless `one_sided` (then: a over b); for more than 12 strata that differ, (1 + such among `draws` random
    patterns) / (1 + draws). Strata where d_q = 0 change nothing in p. Only strata with trials on both sides count.

    With Q strata that differ, p is at least 2^(1-Q) (one-sided 2^-Q): with 8 strata 0.0078, which Holm over 20 arms
    cannot reach 0.05 from; and an arm whose events all sit in one stratum has p = 1. The test is of strata, not of
    trials.

    No shared stratum: None, with a reason. Raises ValueError for malformed tables. Source: Fisher 1935, The Design of
    Experiments, 21; random patterns, Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39.
    """
    e_a, m_a, e_b, m_b = (np.asarray(x, dtype=np.float64) for x in (events_a_q, n_a_q, events_b_q, n_b_q))
    if not (e_a.ndim == 1 and e_a.shape == m_a.shape == e_b.shape == m_b.shape):
        raise ValueError("expected four columns of one length, one entry a stratum")
    if not bool(np.all((e_a >= 0) & (e_a <= m_a) & (e_b >= 0) & (e_b <= m_b))):
        raise ValueError("expected 0 <= events <= n")
    both = (m_a > 0) & (m_b > 0)
    strata = int(both.sum())
    if strata == 0:
        return Permutation(p=None, strata=0, least=None, exact=True, reason="no stratum has trials on both sides")
    # Cross-multiplied, so that a stratum with equal shares gives exactly 0; then in falling size, so that order changes
    # nothing.
    d_q = (e_a[both] * m_b[both] - e_b[both] * m_a[both]) / (m_a[both] * m_b[both])
    d_q = d_q[d_q != 0.0]
    d_q = d_q[np.lexsort((d_q, -np.abs(d_q)))]
    observed = float(d_q.sum())
    slack = 1e-12 * float(np.abs(d_q).sum())
    exact = d_q.size <= EXACT
    if exact:
        sums = np.zeros(1)
        for d in np.abs(d_q):
            sums = np.concatenate([sums + d, sums - d])
    else:
        rng = np.random.default_rng(seed)
        sums = (rng.integers(0, 2, size=(draws, d_q.size)) * 2.0 - 1.0) @ np.abs(d_q)
    hits = int(((sums if one_sided else np.abs(sums)) >= (observed if one_sided else abs(observed)) - slack).sum())
    p = hits / sums.size if exact else (1 + hits) / (1 + draws)
    least = (
        min(1.0, (1.0 if one_sided else 2.0) / 2.0**d_q.size)
        if exact
        else max(1.0 / (1 + draws), 2.0 ** (1 - d_q.size))
    )
    return Permutation(p=p, strata=strata, least=least, exact=exact)


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values in the order given; listing those at most q keeps the expected share of false ones among them
    at most q.

    `p_values`: shape (M,), each in [0, 1]; M may be 0. With p sorted upwards, adjusted p_(i) is the smallest of M p_(j)
    / j over j >= i. Valid for independent or positively dependent tests, unlike Holm's, which needs nothing.

    Raises ValueError for more than one dimension or a value outside [0, 1]. Source: Benjamini and Hochberg 1995, JRSS-B
    57:289.
    """
    p_m = checked_p_values(p_values)
    order = np.argsort(p_m, kind="stable")
    stepped = np.minimum.accumulate((p_m[order] * p_m.size / np.arange(1, p_m.size + 1))[::-1])[::-1]
    adjusted = np.empty_like(p_m)
    adjusted[order] = np.minimum(1.0, stepped)
    return adjusted
