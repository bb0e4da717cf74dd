"""Means of graded outcomes (a probability, a score, a share of runs) over items crossed with seeds, and their draws
under a cluster bootstrap.

Owns the smooth cluster bootstrap that statistics of several means at once (d', a gap, a class of several rates) are
made from. Rates of counts alone have better intervals in `clustered.py`.

The bootstrap is the Bayesian one: each draw gives every cluster a random weight, where resampling gives it 0, 1, 2, ...
Two changes make it honest where resampling is not. (1) Weights are Dirichlet with concentration (K - 2) / K and not 1,
so that a mean over K clusters varies by s^2 / K with the unbiased s^2: with three seeds resampling knows two thirds of
that. (2) Where all items agree, no weights give any spread. So each mean of outcomes between 0 and 1 has two made-up
items besides, one at 0 and one at 1, each of half an item's weight on average: with many items that are all 0 or 1,
draws are nearly those of Jeffreys' posterior, and it is the half event that d' adds anyway (`detection.log_linear`).
Like that it draws means a little towards 1/2, by 1 part in K + 1; so an interval takes the wider limit, with them or
without. With two to five seeds no bootstrap is wide enough: it never leaves the range of the seeds.

Array letters: `_d` draw, `_s` seed, `_i` item, `_f` one mean of several. A cell without outcome is NaN.
Source: Rubin 1981, Ann. Statist. 9:130; as a cluster bootstrap, Owen and Eckles 2012, Ann. Appl. Statist. 6:895.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ratio(total: Floats, mass: Floats) -> Floats:
    """Entry by entry; NaN where there is no mass."""
    return np.asarray(np.divide(total, mass, out=np.full(mass.shape, np.nan), where=mass > 0), dtype=np.float64)


def smooth_weights(rng: np.random.Generator, draws: int, clusters: int) -> Floats:
    """Weights of clusters, shape (draws, clusters); 1 on average. Of two clusters each draw has one; a single one
    always has weight 1."""
    if clusters < 2:
        return np.ones((draws, clusters))
    if clusters == 2:
        return 2.0 * np.eye(2)[rng.integers(0, 2, draws)]
    shape = (clusters - 2) / clusters
    return rng.gamma(shape, 1.0 / shape, size=(draws, clusters))


def cell_means(value_fsi: Floats) -> Floats:
    """Plain means over the cells that hold a value, shape (F,); NaN where none does."""
    n_f = np.isfinite(value_fsi).sum(axis=(1, 2))
    return ratio(np.nansum(value_fsi, axis=(1, 2)), n_f.astype(np.float64))


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSums:
    """Weighted sums under each draw's weights, a cell weighing seed times item; a mean without any cell is NaN
    throughout."""

    total_df: Floats
    mass_df: Floats

    def means(self) -> Floats:
        """Shape (draws, F)."""
        return ratio(self.total_df, self.mass_df)

    def with_ends(self, rng: np.random.Generator) -> DrawnSums:
        """The same of outcomes between 0 and 1 with the two made-up items, one draw of their weights for each mean."""
        ends_dfe = rng.gamma(0.5, size=(*self.mass_df.shape, 2)) * (self.mass_df > 0)[..., None]
        return DrawnSums(total_df=self.total_df + ends_dfe[..., 1], mass_df=self.mass_df + ends_dfe.sum(axis=-1))


def drawn_sums(value_fsi: Floats, weight_ds: Floats, weight_di: Floats) -> DrawnSums:
    """Sums over the cells that hold a value; seeds' weights count as shares."""
    there_fsi = np.isfinite(value_fsi)
    share_ds = weight_ds / weight_ds.sum(axis=1, keepdims=True)
    total_df, mass_df = (
        np.einsum("ds,fsd->df", share_ds, x_fsi @ weight_di.T)
        for x_fsi in (np.where(there_fsi, value_fsi, 0.0), there_fsi.astype(np.float64))
    )
    return DrawnSums(total_df=total_df, mass_df=mass_df)
