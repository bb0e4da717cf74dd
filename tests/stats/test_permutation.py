"""permutation: sign patterns counted by hand and against SciPy, Benjamini-Hochberg's published example, properties,
calibration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from undertow.stats.permutation import benjamini_hochberg, sign_flip


def test_patterns_by_hand() -> None:
    # d = 0.3, 0.2, -0.1: sum 0.4. Of the 8 sums +-0.6, +-0.4, +-0.2, 0, 0 four reach 0.4 in size, two from above.
    a, b, n = [3, 2, 0], [0, 0, 1], [10, 10, 10]
    assert sign_flip(a, n, b, n).p == 4 / 8
    assert sign_flip(a, n, b, n, one_sided=True).p == 2 / 8


def test_least_p_and_one_stratum() -> None:
    n = [10] * 8
    all_up = sign_flip([1, 2, 3, 4, 5, 6, 7, 8], n, [0] * 8, n)
    assert (all_up.p, all_up.least, all_up.exact) == (2 / 256, 2 / 256, True)
    lone = sign_flip([10, *[0] * 7], n, [0] * 8, n)
    assert (lone.p, lone.least) == (1.0, 1.0)
    assert sign_flip([0] * 8, n, [0] * 8, n).p == 1.0


@pytest.mark.parametrize("one_sided", [False, True])
def test_agrees_with_scipy(one_sided: bool) -> None:
    rng = np.random.default_rng(2)
    a, b, n = rng.integers(4, 21, 9), rng.integers(0, 15, 9), np.full(9, 20)
    expected = stats.permutation_test(
        (a - b,),
        lambda d, axis: d.sum(axis=axis),
        permutation_type="samples",
        n_resamples=10000,
        alternative="greater" if one_sided else "two-sided",
    )
    found = sign_flip(a, n, b, n, one_sided=one_sided)
    # SciPy doubles the smaller tail; the sign patterns are symmetric, so that is the same.
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)


def test_many_strata_are_sampled_close_to_exact() -> None:
    rng = np.random.default_rng(3)
    a, b, n = rng.integers(0, 10, 14), rng.integers(0, 8, 14), np.full(14, 10)
    d = (a - b) / 10
    signs = 1 - 2 * ((np.arange(2**14)[:, None] >> np.arange(14)) & 1)
    expected = np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-12)
    found = sign_flip(a, n, b, n)
    assert found.p == pytest.approx(expected, abs=0.015)
    assert found == sign_flip(a, n, b, n)


@given(st.permutations(range(6)), st.lists(st.integers(0, 9), min_size=12, max_size=12))
@settings(max_examples=50, deadline=None)
def test_relabelling_and_unshared_strata_change_nothing(order: list[int], x: list[int]) -> None:
    a, b, n = np.array(x[:6]), np.array(x[6:]), np.full(6, 9)
    found = sign_flip(a, n, b, n)
    assert sign_flip(a[order], n, b[order], n) == found
    assert sign_flip(b, n, a, n) == found
    assert sign_flip([*a, 3, 0], [*n, 5, 0], [*b, 0, 2], [*n, 0, 5]) == found


def test_no_data_and_malformed() -> None:
    none = sign_flip([], [], [], [])
    assert none.p is None and none.reason and sign_flip([1], [2], [0], [0]).p is None
    with pytest.raises(ValueError, match="one length"):
        sign_flip([1], [2], [1, 1], [2, 2])
    with pytest.raises(ValueError, match="events <= n"):
        sign_flip([3], [2], [1], [2])


def test_holds_its_level() -> None:
    rng = np.random.default_rng(4)
    p_q, n = np.linspace(0.02, 0.6, 8), np.full(8, 30)
    found = [sign_flip(rng.binomial(n, p_q), n, rng.binomial(n, p_q), n).p for _ in range(1500)]
    assert np.mean([p is not None and p <= 0.05 for p in found]) <= 0.06


def test_benjamini_hochberg_published_example() -> None:
    # Benjamini and Hochberg 1995, section 3: fifteen p-values; at q = 0.05 the first four are listed, Bonferroni's are
    # three.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.000,
    ]
    adjusted = benjamini_hochberg(p)
    assert int((adjusted <= 0.05).sum()) == 4
    assert adjusted == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


def test_benjamini_hochberg_order_and_edges() -> None:
    rng = np.random.default_rng(5)
    p, s = rng.random(20) ** 2, rng.permutation(20)
    assert benjamini_hochberg(p[s]).tolist() == benjamini_hochberg(p)[s].tolist()
    assert benjamini_hochberg([]).size == 0 and benjamini_hochberg([0.3]).tolist() == [0.3]
    for bad in ([-0.1], [1.1], [[0.1]], [float("nan")]):
        with pytest.raises(ValueError, match="p_values"):
            benjamini_hochberg(bad)
