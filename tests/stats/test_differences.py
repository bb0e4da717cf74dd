"""differences: Newcombe's published examples, weights worked by hand, properties, coverage by simulation."""

import dataclasses
import math

import numpy as np
import pytest

from undertow.stats import Difference, difference_fixed


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [
        # Newcombe 1998, table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 10), -0.2775, 0.2775),
    ],
)
def test_newcombe_published_examples(a: tuple[int, int], b: tuple[int, int], low: float, high: float) -> None:
    found = difference_fixed([a[0]], [a[1]], [b[0]], [b[1]])
    assert found.value == pytest.approx(a[0] / a[1] - b[0] / b[1], abs=1e-12)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_equal_sizes_reduce_to_pooled_counts() -> None:
    # 56/70 and 48/80 again, spread unevenly over ten groups of 7 and 8.
    found = difference_fixed([7, 7, 7, 7, 7, 7, 7, 7, 0, 0], [7] * 10, [8, 8, 8, 8, 8, 8, 0, 0, 0, 0], [8] * 10)
    assert found.value == pytest.approx(0.2, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_proportional_sizes_reduce_to_pooled_counts() -> None:
    found = difference_fixed([1, 9, 5], [2, 10, 20], [2, 3, 16], [4, 20, 40])
    pooled = difference_fixed([15], [32], [21], [64])
    assert (found.value, found.low, found.high) == pytest.approx((pooled.value, pooled.low, pooled.high), abs=1e-12)


def test_weights_are_the_same_on_both_sides() -> None:
    # Same rate in every group, unlike sampling: pooled rates differ (0.26 against 0.74), the paired difference is 0.
    found = difference_fixed([1, 16], [10, 20], [2, 8], [20, 10])
    assert found.value == pytest.approx(0.0, abs=1e-12)


def test_uneven_groups_by_hand() -> None:
    # Weights 6/16, 10/16. a: p = 0.375 * 0.5 + 0.625 * 0.25 = 0.34375; Kish: 1 / (0.140625/2 + 0.390625/8) = 8.3934;
    # plug-in variance 0.0703125 * 0.25 + 0.048828125 * 0.1875 = 0.0267334, giving 0.2255859 / 0.0267334 = 8.4384: Kish
    # holds.
    # b: p = 0.375 * 0.25 + 0.625 * 0.5 = 0.40625; Kish: 1 / (0.140625/4 + 0.390625/2) = 4.3390;
    # plug-in variance 0.03515625 * 0.1875 + 0.1953125 * 0.25 = 0.0554199, giving 0.2412109 / 0.0554199 = 4.3524: Kish
    # holds.
    def wilson(p: float, n: float) -> tuple[float, float]:
        z = 1.959963984540054
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (p + z * z / (2 * n) - half) / (1 + z * z / n), (p + z * z / (2 * n) + half) / (1 + z * z / n)

    (l_a, u_a), (l_b, u_b) = wilson(0.34375, 8.393443), wilson(0.40625, 4.338983)
    found = difference_fixed([1, 2], [2, 8], [1, 1], [4, 2])
    assert found.value == pytest.approx(-0.0625, abs=1e-12)
    assert found.low == pytest.approx(-0.0625 - math.sqrt((0.34375 - l_a) ** 2 + (u_b - 0.40625) ** 2), abs=1e-6)
    assert found.high == pytest.approx(-0.0625 + math.sqrt((u_a - 0.34375) ** 2 + (0.40625 - l_b) ** 2), abs=1e-6)


def test_uncertain_thin_group_widens_beyond_kish() -> None:
    # The spread of a comes from its thin group; the same rates with the spread in the thick group are surer.
    thin = difference_fixed([1, 0], [2, 20], [0, 0], [20, 2])
    thick = difference_fixed([0, 10], [2, 20], [0, 0], [20, 2])
    assert (thin.value, thick.value) == pytest.approx((0.25, 0.25), abs=1e-12)
    assert thin.high is not None and thick.high is not None and thin.low is not None and thick.low is not None
    assert thin.high - thin.low > thick.high - thick.low


def test_antisymmetric() -> None:
    rng = np.random.default_rng(4)
    n_a_q, n_b_q = rng.integers(0, 9, size=12), rng.integers(0, 9, size=12)
    a, b = (rng.binomial(n_a_q, 0.3), n_a_q), (rng.binomial(n_b_q, 0.6), n_b_q)
    forth, back = difference_fixed(*a, *b), difference_fixed(*b, *a)
    assert forth.value is not None and forth.low is not None and forth.high is not None
    assert (back.value, back.low, back.high) == (-forth.value, -forth.high, -forth.low)


def test_order_and_unshared_groups_change_nothing() -> None:
    rng = np.random.default_rng(5)
    n_a_q, n_b_q = rng.integers(1, 9, size=12), rng.integers(1, 9, size=12)
    e_a_q, e_b_q = rng.binomial(n_a_q, 0.3), rng.binomial(n_b_q, 0.6)
    found = difference_fixed(e_a_q, n_a_q, e_b_q, n_b_q)
    s = rng.permutation(12)
    assert difference_fixed(e_a_q[s], n_a_q[s], e_b_q[s], n_b_q[s]) == found
    assert difference_fixed([*e_a_q, 0, 5, 0], [*n_a_q, 0, 5, 0], [*e_b_q, 0, 0, 4], [*n_b_q, 0, 0, 4]) == found


@pytest.mark.parametrize("table", [([], [], [], []), ([1, 0], [2, 0], [0, 1], [0, 2]), ([0], [0], [0], [0])])
def test_no_shared_group_gives_a_reason(table) -> None:  # type: ignore[no-untyped-def]
    assert difference_fixed(*table) == Difference(
        value=None, low=None, high=None, reason="no group has trials on both sides"
    )


def test_extremes_stay_in_range() -> None:
    top, none = (
        difference_fixed([3, 1, 7], [3, 1, 7], [0, 0, 0], [2, 9, 1]),
        difference_fixed([0, 0], [5, 3], [0, 0], [2, 9]),
    )
    assert top.value == 1.0 and top.high == 1.0 and top.low is not None and top.low < 1
    assert none.value == 0.0 and none.low is not None and none.high is not None and none.low < 0 < none.high


def test_malformed_tables_are_errors() -> None:
    with pytest.raises(ValueError, match="a has 1 groups and b has 2"):
        difference_fixed([1], [2], [1, 1], [2, 2])
    with pytest.raises(ValueError, match="3 events in 2"):
        difference_fixed([1], [2], [3], [2])
    with pytest.raises(ValueError, match="level"):
        difference_fixed([1], [2], [1], [2], level=1.0)


def test_difference_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        difference_fixed([1], [2], [1], [2]).value = 0.0  # type: ignore[misc]


def test_covers_with_unlike_groups_and_sizes() -> None:
    rng = np.random.default_rng(6)
    n_a_q, n_b_q = np.tile([5, 10, 20], 4), np.tile([20, 10, 5, 10], 3)
    p_a_q, p_b_q = np.linspace(0.05, 0.8, 12), np.linspace(0.3, 0.1, 12)
    truth = float((n_a_q + n_b_q) @ (p_a_q - p_b_q) / (n_a_q + n_b_q).sum())
    found = [
        difference_fixed(rng.binomial(n_a_q, p_a_q), n_a_q, rng.binomial(n_b_q, p_b_q), n_b_q) for _ in range(2000)
    ]
    assert np.mean([d.low <= truth <= d.high for d in found if d.low is not None and d.high is not None]) >= 0.945
