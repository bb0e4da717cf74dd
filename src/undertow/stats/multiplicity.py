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


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values, in the order given; reject where they are at most the family-wise error rate.

    `p_values`: shape (M,), each in [0, 1]; M may be 0. Returns shape (M,): with p sorted upwards, adjusted p_(i) is the largest
    of (M - j + 1) p_(j) over j <= i, at most 1. Valid under any dependence.

    Raises ValueError for more than one dimension or a value that is NaN or outside [0, 1]. Source: Holm 1979, Scand. J. Statist. 6:65.
    """
    p_m = checked_p_values(p_values)
    order = np.argsort(p_m, kind="stable")
    stepped = np.maximum.accumulate(p_m[order] * np.arange(p_m.size, 0, -1))
    adjusted = np.empty_like(p_m)
    adjusted[order] = np.minimum(1.0, stepped)
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
