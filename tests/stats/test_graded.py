"""graded: weights with the right spread, means by hand, and intervals where all items agree."""

import numpy as np
import pytest
from scipy import stats

from undertow.stats.graded import cell_means, drawn_sums, smooth_weights


@pytest.mark.parametrize("clusters", [2, 3, 8, 60])
def test_a_weighted_mean_varies_as_the_unbiased_variance_says(clusters: int) -> None:
    rng = np.random.default_rng(1)
    w, x = smooth_weights(rng, 100_000, clusters), rng.standard_normal(clusters)
    means = w @ x / w.sum(axis=1)
    assert w.mean() == pytest.approx(1, abs=0.02)
    assert means.var() == pytest.approx(x.var(ddof=1) / clusters, rel=0.05)


def test_a_single_cluster_is_not_random() -> None:
    assert (smooth_weights(np.random.default_rng(1), 5, 1) == 1).all()


def test_means_by_hand() -> None:
    # Two seeds, two items, one cell empty: the mean is of cells.
    value = np.array([[[1.0, 0.0], [0.5, np.nan]]])
    assert cell_means(value).tolist() == pytest.approx([0.5])
    w_ds, w_di = np.array([[3.0, 1.0]]), np.array([[1.0, 2.0]])
    # Seeds 3/4 and 1/4: (3/4 * 1 * 1 + 3/4 * 2 * 0 + 1/4 * 1 * 0.5) / (3/4 + 3/2 + 1/4)
    assert drawn_sums(value, w_ds, w_di).means()[0, 0] == pytest.approx(0.875 / 2.5)
    assert (
        np.isnan(cell_means(np.full((1, 1, 2), np.nan))[0])
        and np.isnan(drawn_sums(np.full((1, 2, 2), np.nan), w_ds, w_di).means()).all()
    )


@pytest.mark.parametrize(("ones", "items"), [(0, 60), (5, 60), (30, 60)])
def test_items_of_0_and_1_have_nearly_jeffreys_posterior(ones: int, items: int) -> None:
    rng = np.random.default_rng(2)
    value = np.array([[[1.0] * ones + [0.0] * (items - ones)]])
    draws = drawn_sums(value, np.ones((50_000, 1)), smooth_weights(rng, 50_000, items)).with_ends(rng).means()[:, 0]
    expected = stats.beta.ppf([0.025, 0.5, 0.975], ones + 0.5, items - ones + 0.5)
    assert np.quantile(draws, [0.025, 0.5, 0.975]) == pytest.approx(expected, abs=0.012)


def test_a_mean_without_cells_gets_no_made_up_items() -> None:
    rng = np.random.default_rng(3)
    sums = drawn_sums(np.array([[[np.nan]], [[0.5]]]), np.ones((4, 1)), np.ones((4, 1))).with_ends(rng)
    assert np.isnan(sums.means()[:, 0]).all() and np.isfinite(sums.means()[:, 1]).all()
