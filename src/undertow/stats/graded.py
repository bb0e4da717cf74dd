"""Means of graded outcomes (a probability, a score, a share of runs) over items crossed with seeds, and their draws under a cluster bootstrap.

Owns the smooth cluster bootstrap that statistics of several means at once (d', a gap, a class of several rates) are made from. Rates of counts alone have
better intervals in `clustered.py`.

The bootstrap is the Bayesian one: each draw gives every cluster a random weight, where resampling gives it 0, 1, 2, ... Two changes make it honest
where resampling is not. (1) Weights are Dirichlet with concentration (K - 2) / K and not 1, so that a mean over K clusters varies by s^2 / K with the
unbiased s^2: with three seeds resampling knows two thirds of that. (2) Where all items agree, no weights give any spread. So each mean of outcomes between 0
and 1 has two made-up items besides, one at 0 and one at 1, each of half a typical weight. Were all items 0 or 1, draws would be those of Jeffreys' posterior
(but for K - 2 in the place of K); and the made-up items are the half event that d' adds anyway (`detection.log_linear`).
With two to five seeds no bootstrap is wide enough: it never leaves the range of the seeds.

Array letters: `_d` draw, `_s` seed, `_i` item, `_f` one mean of several. A cell without outcome is NaN.
Source: Rubin 1981, Ann. Statist. 9:130; as a cluster bootstrap, Owen and Eckles 2012, Ann. Appl. Statist. 6:895.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def smooth_weights(rng: np.random.Generator, draws: int, clusters: int) -> Floats:
    """Weights of clusters, shape (draws, clusters); a draw's sum is K - 2 on average. Of two clusters each draw has one; a single one always has weight 1."""
    if clusters < 2:
        return np.ones((draws, clusters))
    if clusters == 2:
        return np.eye(2)[rng.integers(0, 2, draws)]
    return rng.gamma((clusters - 2) / clusters, size=(draws, clusters))


def cell_means(value_fsi: Floats) -> Floats:
    """Plain means over the cells that hold a value, shape (F,); NaN where none does."""
    n_f = np.isfinite(value_fsi).sum(axis=(1, 2))
    return np.divide(np.nansum(value_fsi, axis=(1, 2)), n_f, out=np.full(len(value_fsi), np.nan), where=n_f > 0)


def drawn_means(value_fsi: Floats, weight_ds: Floats, weight_di: Floats, unit: np.random.Generator | None) -> Floats:
    """Means under each draw's weights, shape (draws, F); a cell weighs seed times item. A mean without any cell is NaN throughout.

    Args:
        unit: for outcomes between 0 and 1, what the weights of the two made-up items are drawn from; None for any other scale.
    """
    share_ds = weight_ds / weight_ds.sum(axis=1, keepdims=True)
    means = []
    for value_si in value_fsi:
        there = np.isfinite(value_si)
        total_d = ((share_ds @ np.where(there, value_si, 0.0)) * weight_di).sum(axis=1)
        mass_d = ((share_ds @ there.astype(np.float64)) * weight_di).sum(axis=1)
        if unit is not None and there.any():
            ends_d = unit.gamma(0.5, size=(len(share_ds), 2))
            total_d, mass_d = total_d + ends_d[:, 1], mass_d + ends_d.sum(axis=1)
        means.append(np.divide(total_d, mass_d, out=np.full(len(share_ds), np.nan), where=mass_d > 0))
    return np.stack(means, axis=1)
