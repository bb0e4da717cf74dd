"""multiplicity: definitions worked by hand, properties."""

import math

import numpy as np
import pytest

from undertow.stats import bonferroni, holm


def test_bonferroni_by_hand() -> None:
    assert bonferroni(0.05, 1) == 0.05
    assert bonferroni(0.05, 10) == pytest.approx(0.005)


@pytest.mark.parametrize(("alpha", "m"), [(0.0, 1), (1.0, 1), (math.nan, 1), (0.05, 0), (0.05, -2)])
def test_bonferroni_refuses(alpha: float, m: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        bonferroni(alpha, m)


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last is lifted to 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_at_most_one_and_keeps_the_input() -> None:
    p = np.array([0.9, 0.6])
    assert holm(p).tolist() == [1.0, 1.0]
    assert p.tolist() == [0.9, 0.6]


def test_holm_of_none_and_one() -> None:
    assert holm([]).shape == (0,)
    assert holm([0.2]).tolist() == [0.2]


def test_holm_keeps_order_under_relabelling_and_is_bounded_by_bonferroni() -> None:
    rng = np.random.default_rng(7)
    p = rng.random(20) ** 3
    s = rng.permutation(20)
    assert holm(p[s]).tolist() == holm(p)[s].tolist()
    assert np.all(holm(p) >= p) and np.all(holm(p) <= np.minimum(1, 20 * p))
    assert np.all(np.diff(holm(np.sort(p))) >= 0)


@pytest.mark.parametrize("p_values", [[0.1, math.nan], [-0.1], [1.1], [[0.1]], 0.1])
def test_holm_refuses(p_values) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="p_values"):
        holm(p_values)


def test_weighted_holm_by_hand() -> None:
    # p/w = 0.04, 0.02, 0.1; weights left 4, 3 of (w 1, 2, 1) in order second, first, third: 0.02*4, 0.04*2, 0.1*1.
    assert holm([0.04, 0.04, 0.1], [1, 2, 1]) == pytest.approx([0.08, 0.08, 0.1])
    p = np.random.default_rng(1).random(12) ** 4
    assert holm(p, np.full(12, 3.0)) == pytest.approx(holm(p), rel=1e-12)


@pytest.mark.parametrize("weights", [[0.0], [-1.0], [1.0, 1.0], [math.inf], [math.nan], 1.0])
def test_holm_refuses_weights(weights) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="weight"):
        holm([0.1], weights)


def test_weighted_holm_is_the_closed_test_of_weighted_bonferroni() -> None:
    # Definition: an hypothesis' adjusted p is the largest, over sets that hold it, of the set's weighted Bonferroni
    # p-value.
    rng = np.random.default_rng(9)
    p, w = rng.random(6) ** 3, rng.integers(1, 5, 6).astype(float)
    sets = [[i for i in range(6) if k >> i & 1] for k in range(1, 64)]
    tests = {tuple(s): min(1.0, min(p[i] / w[i] for i in s) * sum(w[i] for i in s)) for s in sets}
    expected = [max(v for s, v in tests.items() if i in s) for i in range(6)]
    assert holm(p, w) == pytest.approx(expected, rel=1e-12)
