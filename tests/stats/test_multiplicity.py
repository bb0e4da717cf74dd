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
