"""Corrections for many comparisons made at once.

Owns the family-wise corrections. Never decides which comparisons are a family.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def bonferroni(alpha: float, m: int) -> float:
    """Error rate alpha / m for each of m comparisons, which holds the rate of any error at all to at most alpha.

    Raises ValueError unless 0 < alpha < 1 and m >= 1. Source: Dunn 1961, JASA 56:52.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is {alpha}; expected a number between 0 and 1, such as 0.05")
    if m < 1:
        raise ValueError(f"m is {m}; expected at least one comparison")
    return alpha / m


def holm(p_values: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Holm's adjusted p-values, in the order given; reject where they are at most the family-wise error rate.

    `p_values`: shape (M,), each in [0, 1]; M may be 0. `weights`: shape (M,), positive, fixed before the data (a
    suspect may weigh more); by default equal. Returns shape (M,): with p/w sorted upwards, adjusted (i) is the largest
    over j <= i of (p_(j) / w_(j)) * (sum of w over ranks >= j), at most 1; with equal weights (M - j + 1) p_(j). Valid
    under any dependence, so on p-values that hold at every look too: the error spent on hypotheses already rejected
    goes to those that are left.

    Raises ValueError for more than one dimension, a value that is NaN or outside [0, 1], or weights that are not one
    positive number each. Source: Holm 1979, Scand. J. Statist. 6:65; weights, its section 4.
    """
    p_m = checked_p_values(p_values)
    w_m = np.ones_like(p_m) if weights is None else np.asarray(weights, dtype=np.float64)
    if w_m.shape != p_m.shape or not bool(np.all(np.isfinite(w_m) & (w_m > 0.0))):
        raise ValueError(f"weights has shape {w_m.shape}, p_values {p_m.shape}; expected one positive weight a p-value")
    order = np.argsort(p_m / w_m, kind="stable")
    left = np.cumsum(w_m[order][::-1])[::-1]
    adjusted = np.empty_like(p_m)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_m[order] / w_m[order] * left))
    return adjusted


def checked_p_values(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values as an array of shape (M,).

    Raises ValueError for more than one dimension or a value that is NaN or outside [0, 1].
    """
    p_m = np.asarray(p_values, dtype=np.float64)
    if p_m.ndim != 1:
        raise ValueError(f"p_values has shape {p_m.shape}; expected one dimension")
    bad = np.flatnonzero(~((p_m >= 0.0) & (p_m <= 1.0)))
    if bad.size:
        raise ValueError(f"p_values[{int(bad[0])}] is {p_m[bad[0]]}; expected a number from 0 to 1")
    return p_m
