"""Agreement of raters on the same items, with intervals: chance-corrected shares.

Owns the coefficients and their cluster bootstrap. Items of one cluster (a question) are drawn together, since a rater
who is wrong about one answer to a question is likely wrong about the next.

    `cohen_kappa`          two raters, chance from each one's own shares; `quadratic` weighs by squared distance
    `gwet_ac1`             two raters, chance that holds where nearly all items are of one class
    `krippendorff_alpha`   any number of raters, items may lack ratings

Array suffixes: `_kk`, classes of the first rater by those of the second; `_ri`, rater by item.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .rates import checked_tail

RESAMPLES = 2000
"""Bootstrap samples of clusters."""
Weights = Literal["none", "quadratic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A coefficient with its interval; all None where it is not defined."""

    value: float | None
    """At most 1; 0 is what chance gives."""
    low: float | None
    high: float | None
    n: int
    """Items."""
    reason: str = ""
    """Why there is none; empty where there is one."""


def confusion(a: Sequence[int], b: Sequence[int], k: int) -> NDArray[np.int64]:
    """How often the first rater said i and the second j; shape (k, k).

    Args:
        a, b: classes from 0 to k - 1, one entry an item.
    """
    table = np.zeros((k, k), dtype=np.int64)
    np.add.at(table, (np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)), 1)
    return table


def cohen_kappa(table_kk: ArrayLike, *, weights: Weights = "none") -> float:
    """1 - observed / expected disagreement, where raters are independent with their own shares; NaN where both only
    ever say one class.

    Weights w_ij: 1 off the diagonal, or (i - j)^2. Sources: Cohen 1960, Educ. Psychol. Meas. 20:37; 1968, Psychol.
    Bull. 70:213.
    """
    return float(_kappa(np.asarray(table_kk, dtype=np.float64), weights))


def gwet_ac1(table_kk: ArrayLike) -> float:
    """(observed - e) / (1 - e) with e = sum of m_i (1 - m_i) / (k - 1), m_i the mean of both raters' shares of class i.

    Stays near the observed share where nearly all items are of one class, where kappa falls to 0. Source: Gwet 2008,
    Br. J. Math. Stat. Psychol. 61:29.
    """
    return float(_ac1(np.asarray(table_kk, dtype=np.float64)))


def krippendorff_alpha(ratings_ri: ArrayLike, *, level: Literal["nominal", "interval"] = "nominal") -> float:
    """1 - observed / expected disagreement over all pairs of ratings; NaN ratings are not there, and items with fewer
    than two tell nothing. NaN where all ratings are one value.

    Source: Krippendorff 2011, Computing Krippendorff's alpha-reliability.
    """
    ratings = np.asarray(ratings_ri, dtype=np.float64)
    values = np.unique(ratings[~np.isnan(ratings)])
    if not values.size:
        return math.nan
    counts = np.stack([(ratings == value).sum(axis=0) for value in values])
    return float(_alpha(_coincidences(counts).sum(axis=0), values, level))


def agreement(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    tables_gkk: ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """A coefficient of the sum of tables with a percentile interval from resampled clusters.

    Args:
        statistic: tables (..., k, k) -> coefficients; see `STATISTICS`.
        tables_gkk: one table a cluster. Of fewer than two clusters there is no interval, nor where all agree.
    """
    tail = checked_tail(level)
    tables = np.asarray(tables_gkk, dtype=np.float64)
    value, n, groups = float(statistic(tables.sum(axis=0))), int(tables.sum()), len(tables)
    if not math.isfinite(value):
        return Agreement(value=None, low=None, high=None, n=n, reason="both raters say one class only")
    if groups < 2:
        return Agreement(value=value, low=None, high=None, n=n, reason="one cluster tells nothing of the spread")
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
    found = statistic(np.tensordot(drawn.astype(np.float64), tables, axes=1))
    low, high = np.nanquantile(found, [tail, 1 - tail]).tolist()
    if low == high:
        same = "every resample gives the same, which tells nothing of the spread"
        return Agreement(value=value, low=None, high=None, n=n, reason=same)
    return Agreement(value=value, low=min(low, value), high=max(high, value), n=n)


def _kappa(tables: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    k = tables.shape[-1]
    i = np.arange(k)
    cost = (i[:, None] - i) ** 2 if weights == "quadratic" else i[:, None] != i
    n = tables.sum(axis=(-2, -1))
    expected = (cost * (tables.sum(axis=-1)[..., :, None] * tables.sum(axis=-2)[..., None, :])).sum(axis=(-2, -1)) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - (cost * tables).sum(axis=(-2, -1)) / expected, math.nan)


def _ac1(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    n, k = tables.sum(axis=(-2, -1)), tables.shape[-1]
    observed = np.trace(tables, axis1=-2, axis2=-1) / n
    mean = (tables.sum(axis=-1) + tables.sum(axis=-2)) / (2 * n[..., None])
    e = (mean * (1 - mean)).sum(axis=-1) / (k - 1)
    found: NDArray[np.float64] = (observed - e) / (1 - e)
    return found


def _coincidences(counts_vi: NDArray[np.int64]) -> NDArray[np.float64]:
    """By item the pairs of ratings, each weighed by 1 / (ratings of the item - 1); shape (items, values, values)."""
    m = counts_vi.sum(axis=0)
    pairs = counts_vi.T[:, :, None] * counts_vi.T[:, None, :] - np.stack([np.diag(c) for c in counts_vi.T])
    found: NDArray[np.float64] = np.where(m[:, None, None] > 1, pairs / np.maximum(m - 1, 1)[:, None, None], 0.0)
    return found


def _alpha(
    coincidences: NDArray[np.float64], values: NDArray[np.float64], level: Literal["nominal", "interval"]
) -> NDArray[np.float64]:
    cost = (values[:, None] - values) ** 2 if level == "interval" else (values[:, None] != values).astype(np.float64)
    n_v = coincidences.sum(axis=-1)
    n = n_v.sum(axis=-1)
    expected = (cost * n_v[..., :, None] * n_v[..., None, :]).sum(axis=(-2, -1)) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - (cost * coincidences).sum(axis=(-2, -1)) / expected, math.nan)


def _alpha_of_two(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nominal alpha of two raters without gaps, from tables: each item is a pair both ways."""
    k = tables.shape[-1]
    return _alpha(tables + np.swapaxes(tables, -1, -2), np.arange(k, dtype=np.float64), "nominal")


STATISTICS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "cohen_kappa": lambda tables: _kappa(tables, "none"),
    "quadratic_kappa": lambda tables: _kappa(tables, "quadratic"),
    "gwet_ac1": _ac1,
    "krippendorff_alpha": _alpha_of_two,
}
"""Coefficients of two raters, of tables of shape (..., k, k)."""
