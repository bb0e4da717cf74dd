"""rates: Clopper-Pearson against SciPy, Korn-Graubard worked by hand, properties, coverage by simulation."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats
from tests.each import each

from undertow.stats import Rate, rate_clustered, rate_fixed

BOTH = pytest.mark.parametrize("rate", [rate_fixed, rate_clustered])


@each("events, n", [(0, 10), (1, 10), (5, 10), (10, 10), (3, 500), (1, 1)])
@each("level", [0.9, 0.95, 0.99])
def test_fixed_agrees_with_scipy_exact(events: int, n: int, level: float) -> None:
    found = rate_fixed([events], [n], level=level)
    expected = stats.binomtest(events, n).proportion_ci(confidence_level=level, method="exact")
    assert found.value == events / n
    assert found.low == pytest.approx(expected.low, abs=1e-10)
    assert found.high == pytest.approx(expected.high, abs=1e-10)


def test_fixed_pools_the_counts() -> None:
    assert rate_fixed([1, 0, 4], [10, 5, 5]) == rate_fixed([5], [20])


def test_fixed_no_events_by_hand() -> None:
    # 0 of n: the upper limit solves (1 - p)^n = 0.025.
    found = rate_fixed([0, 0], [10, 10])
    assert found.low == 0.0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 20), abs=1e-12)


def test_clustered_by_hand() -> None:
    # p = 1/2; residuals -2, 0, 0, 2; v = 4/3 * 8 / 16^2 = 1/24; simple variance 1/64; deff = 8/3; N / deff = 6.
    # t quantiles at 0.975 from tables: 2.13145 (15 df) and 3.18245 (3 df).
    n_eff = 6 * (2.13145 / 3.18245) ** 2
    found = rate_clustered([0, 2, 2, 4], [4, 4, 4, 4])
    assert found.value == 0.5
    assert found.low == pytest.approx(stats.beta.ppf(0.025, n_eff / 2, n_eff / 2 + 1), abs=1e-5)
    assert found.high == pytest.approx(stats.beta.ppf(0.975, n_eff / 2 + 1, n_eff / 2), abs=1e-5)


def test_clustered_unequal_sizes_by_hand() -> None:
    # p = 8/20; residuals 1 - 0.8, 6 - 4, 1 - 3.2 = 0.2, 2, -2.2; v = 3/2 * 8.88 / 400 = 0.0333; simple variance 0.012.
    n_eff = 20 / (0.0333 / 0.012) * (stats.t.ppf(0.975, 19) / stats.t.ppf(0.975, 2)) ** 2
    found = rate_clustered([1, 6, 1], [2, 10, 8])
    assert found.value == pytest.approx(0.4)
    assert found.low == pytest.approx(stats.beta.ppf(0.025, 0.4 * n_eff, 0.6 * n_eff + 1), abs=1e-9)
    assert found.high == pytest.approx(stats.beta.ppf(0.975, 0.4 * n_eff + 1, 0.6 * n_eff), abs=1e-9)


def test_clustered_one_trial_a_cluster_is_close_to_fixed() -> None:
    # deff is N / (N - 1) and the t factor is 1.
    fixed, clustered = rate_fixed([1] * 30 + [0] * 70, [1] * 100), rate_clustered([1] * 30 + [0] * 70, [1] * 100)
    assert clustered.low == pytest.approx(fixed.low, abs=1e-3)
    assert clustered.high == pytest.approx(fixed.high, abs=1e-3)


def test_clustered_never_gains_from_even_clusters() -> None:
    # No variance between clusters at all: deff is floored at 1, the t factor stays.
    even, fixed = rate_clustered([2] * 5, [4] * 5), rate_fixed([2] * 5, [4] * 5)
    assert even.low is not None and even.high is not None and fixed.low is not None and fixed.high is not None
    assert 0 < even.low < fixed.low
    assert fixed.high < even.high < 1


@pytest.mark.parametrize("events", [0, 10])
def test_clustered_none_or_all_events_uses_n_by_t_factor(events: int) -> None:
    n_eff = 50 * (stats.t.ppf(0.975, 49) / stats.t.ppf(0.975, 4)) ** 2
    reach = 1 - 0.025 ** (1 / n_eff)
    found = rate_clustered([events] * 5, [10] * 5)
    expected = (0.0, reach) if events == 0 else (1 - reach, 1.0)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)
    assert found.value == events / 10


def test_clustered_two_clusters_is_defined_and_wide() -> None:
    found = rate_clustered([0, 10], [10, 10])
    assert found.low is not None and found.high is not None
    assert 0 <= found.low < 0.01 and 0.99 < found.high <= 1


@BOTH
@pytest.mark.parametrize("table", [([], []), ([0, 0], [0, 0])])
def test_no_trials_gives_a_reason(rate, table) -> None:  # type: ignore[no-untyped-def]
    assert rate(*table) == Rate(value=None, low=None, high=None, events=0, n=0, reason="no trials")


def test_clustered_one_cluster_gives_a_reason_and_keeps_counts() -> None:
    found = rate_clustered([3, 0], [9, 0])
    assert (found.value, found.low, found.high, found.events, found.n) == (None, None, None, 3, 9)
    assert "at least two" in found.reason


@BOTH
def test_order_empty_groups_and_array_type_change_nothing(rate) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    n_q = rng.integers(1, 20, size=15)
    events_q = rng.binomial(n_q, rng.random(15))
    found = rate(events_q, n_q)
    shuffle = rng.permutation(15)
    assert rate(events_q[shuffle], n_q[shuffle]) == found
    assert rate([*events_q.tolist(), 0], [*n_q.tolist(), 0]) == found
    assert rate(events_q.astype(float), tuple(n_q.tolist())) == found
    assert type(found.events) is int and type(found.n) is int and type(found.low) is float


@BOTH
def test_complement_mirrors_and_level_widens(rate) -> None:  # type: ignore[no-untyped-def]
    events_q, n_q = np.array([1, 4, 0, 7]), np.array([10, 8, 12, 9])
    found, mirror, wide = rate(events_q, n_q), rate(n_q - events_q, n_q), rate(events_q, n_q, level=0.99)
    assert (mirror.low, mirror.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-10)
    assert wide.low < found.low < found.value < found.high < wide.high


@BOTH
@pytest.mark.parametrize(
    ("events_q", "n_q", "found"),
    [
        ([1, 2], [3], "2 entries"),
        ([4], [3], "4 events in 3"),
        ([-1], [3], "-1 events"),
        ([0.5], [3], "not whole"),
        ([math.nan], [3], "not whole"),
        ([[1]], [[3]], "shape"),
        (1, 3, "shape"),
        (["1"], [3], "expected whole numbers"),
    ],
)
def test_malformed_tables_are_errors(rate, events_q, n_q, found) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=found):
        rate(events_q, n_q)


@BOTH
@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_level_outside_is_an_error(rate, level: float) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="level"):
        rate([1, 1], [2, 2], level=level)


def test_rate_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        rate_fixed([1], [2]).value = 0.0  # type: ignore[misc]


def _coverage(rate, truth: float, tables) -> float:  # type: ignore[no-untyped-def]
    results = [rate(events_q, n_q) for events_q, n_q in tables]
    return float(np.mean([r.low <= truth <= r.high for r in results]))


def test_fixed_covers_with_unlike_strata() -> None:
    rng = np.random.default_rng(2)
    n_q, p_q = np.tile([5, 10, 25], 4), np.tile([0.0, 0.5, 0.05, 0.2], 3)
    truth = float(n_q @ p_q / n_q.sum())
    assert _coverage(rate_fixed, truth, [(rng.binomial(n_q, p_q), n_q) for _ in range(2000)]) >= 0.95


def test_clustered_covers_random_clusters_where_fixed_does_not() -> None:
    rng = np.random.default_rng(3)
    n_q = np.tile([5, 10, 15], 10)
    tables = [(rng.binomial(n_q, rng.beta(0.6, 1.4, size=30)), n_q) for _ in range(2000)]
    assert _coverage(rate_clustered, 0.3, tables) >= 0.935
    assert _coverage(rate_fixed, 0.3, tables) < 0.85
