"""sequential: integrals against SciPy, the composite null by exact enumeration, worked thresholds, properties, coverage
at every look."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate

from undertow.stats.sequential import (
    anytime_p,
    complete_blocks,
    difference_anytime,
    limits_path,
    log_e_difference,
    log_e_over,
    log_e_under,
    rate_anytime,
)


@pytest.mark.parametrize(("s", "n", "m"), [(3, 40, 0.01), (0, 16, 0.01), (10, 40, 0.4), (40, 40, 0.3), (1, 8, 0.2)])
def test_e_is_the_mixture_it_says(s: int, n: int, m: float) -> None:
    def ratio(theta: float) -> float:
        return float((theta / m) ** s * ((1 - theta) / (1 - m)) ** (n - s))

    b = min(10.0, max(1.0, 0.1 / m))
    mass = integrate.quad(lambda x: (1 - x) ** (b - 1), m, 1)[0]
    over = integrate.quad(lambda x: ratio(x) * (1 - x) ** (b - 1), m, 1, limit=500)[0] / mass
    # theta = u^5 takes the singular density 0.2 theta^-0.8 / m^0.2 to a flat one on (0, m^0.2).
    under = integrate.quad(lambda u: ratio(u**5), 0, m**0.2, limit=500)[0] / m**0.2
    assert float(log_e_over(s, n, m)) == pytest.approx(math.log(over), rel=1e-7, abs=1e-9)
    assert float(log_e_under(s, n, m)) == pytest.approx(math.log(under), rel=1e-7, abs=1e-9)


def test_no_data_is_no_evidence() -> None:
    for m in (0.001, 0.01, 0.5, 0.99):
        assert float(log_e_over(0, 0, m)) == pytest.approx(0.0, abs=1e-10)
        assert float(log_e_under(0, 0, m)) == pytest.approx(0.0, abs=1e-10)


def test_thresholds_worked_in_the_docstring() -> None:
    n = 8 * np.arange(1, 120)
    first = [int(n[np.argmax(log_e_under(s, n, 0.01) >= math.log(20))]) for s in (0, 1)]
    assert first == [336, 704]
    assert math.ceil(math.log(0.05) / math.log(0.99)) == 299  # the least any fixed sample could need


def _expected(p_q: list[float], m: float, log_e, blocks: int) -> float:  # type: ignore[no-untyped-def]
    """E[E] after some blocks, from the exact distribution of a sum of unlike Bernoulli outcomes."""
    pmf = np.ones(1)
    for p in p_q * blocks:
        pmf = np.convolve(pmf, [1 - p, p])
    s = np.arange(pmf.size)
    return float(pmf @ np.exp(log_e(s, pmf.size - 1, m)))


@pytest.mark.parametrize("blocks", [1, 2, 5, 20])
@pytest.mark.parametrize(
    "p_q", [[0.01] * 8, [0.08] + [0.0] * 7, [0.04, 0.04] + [0.0] * 6, [0.03, 0.02, 0.01, 0.02, 0.0, 0.0, 0.0, 0.0]]
)
def test_expectation_is_at_most_one_for_every_spread_of_the_null(p_q: list[float], blocks: int) -> None:
    for log_e in (log_e_over, log_e_under):
        assert _expected(p_q, 0.01, log_e, blocks) <= 1 + 1e-9
    assert _expected([0.01] * 8, 0.01, log_e_over, blocks) == pytest.approx(1.0, abs=1e-9)


def test_expectation_also_inside_the_null() -> None:
    assert _expected([0.04] + [0.0] * 7, 0.01, log_e_over, 6) < 1
    assert _expected([0.02] * 7 + [0.5], 0.01, log_e_under, 6) < 1
    assert _expected([0.05] * 8, 0.01, log_e_over, 6) > 1.5 and _expected([0.0] * 8, 0.01, log_e_under, 6) > 1.5


def test_part_of_a_block_would_not_do() -> None:
    # Why incomplete blocks are left out: a block's drawn half may hold the stratum with all the events.
    assert _expected([0.08, 0.0, 0.0, 0.0], 0.01, log_e_over, 1) > 1


def test_difference_null_by_enumeration() -> None:
    p_a, p_b = [0.5, 0.0, 0.1], [0.1, 0.3, 0.2]
    total = 0.0
    for x in itertools.product((0, 1), repeat=6):
        a, b = x[:3], x[3:]
        weight = math.prod(p if v else 1 - p for p, v in zip(p_a + p_b, x, strict=True))
        wins, losses = sum(i > j for i, j in zip(a, b, strict=True)), sum(i < j for i, j in zip(a, b, strict=True))
        total += weight * math.exp(float(log_e_difference(wins, losses)))
    assert total <= 1 + 1e-12


def test_blocks_follow_the_order_of_request_and_skip_unusable() -> None:
    found = complete_blocks([[None, 1, 0, 1], [0, None, None, 1]])
    assert found.tolist() == [[1, 0], [0, 1]]
    assert complete_blocks([[1, 1], [None]]).shape == (2, 0)
    assert complete_blocks([]).shape == (0, 0)
    with pytest.raises(ValueError, match="stratum 1"):
        complete_blocks([[1], [2]])


@given(
    st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), min_size=1, max_size=12), st.permutations(range(4))
)
@settings(max_examples=40, deadline=None)
def test_relabelling_strata_changes_nothing(rows: list[list[int]], order: list[int]) -> None:
    x = np.array(rows).T
    assert rate_anytime(x.sum(axis=0), 4) == rate_anytime(x[order].sum(axis=0), 4)
    assert difference_anytime(x, 1 - x) == difference_anytime(x[order], (1 - x)[order])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
@example([0, 0, 0, 0, 0, 0, 0, 4, 5, 5])
@settings(max_examples=40, deadline=None)
def test_limits_tighten_with_every_look_and_hold_the_estimate_of_the_last_block(events_b: list[int]) -> None:
    low_b, high_b = limits_path(events_b, 5)
    assert np.all(low_b <= high_b) and np.all((low_b >= 0) & (high_b <= 1))
    low_alone, high_alone = limits_path(events_b, 5, alpha_high=0.0)[0], limits_path(events_b, 5, alpha_low=0.0)[1]
    assert np.all(np.diff(low_alone) >= -1e-12) and np.all(np.diff(high_alone) <= 1e-12)
    apart = low_alone <= high_alone  # where the two cross, the block's own limits are given
    assert low_b[apart].tolist() == low_alone[apart].tolist() and high_b[apart].tolist() == high_alone[apart].tolist()
    again_low, again_high = limits_path(events_b[:-1] or events_b, 5)
    assert (
        again_low.tolist() == low_b[: again_low.size].tolist()
        and again_high.tolist() == high_b[: again_high.size].tolist()
    )


def test_limits_are_where_the_tests_are() -> None:
    rng = np.random.default_rng(3)
    events_b = rng.binomial(8, 0.05, size=60)
    low_b, high_b = limits_path(events_b, 8, alpha_low=0.01, alpha_high=0.2)
    s_b, n_b = np.cumsum(events_b), 8 * np.arange(1, 61)
    for m in (0.001, 0.01, 0.03, 0.08, 0.2):
        over = np.maximum.accumulate(log_e_over(s_b, n_b, m)) >= math.log(100)
        under = np.maximum.accumulate(log_e_under(s_b, n_b, m)) >= math.log(5)
        assert (low_b >= m).tolist() == over.tolist() and (high_b <= m).tolist() == under.tolist()
    assert limits_path([1, 0], 4, alpha_low=0, alpha_high=0)[0].tolist() == [0, 0]


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.0025])
def test_excluded_rates_are_one_stretch(alpha: float) -> None:
    # What the bisection of the limits takes for granted: E crosses 1/alpha once as m runs over (0, 1).
    m = 1 / (1 + np.exp(-np.linspace(-20, 8, 600)))
    for n in (8, 40, 336, 800, 20000):
        for s in sorted({0, 1, 3, n // 50, n // 10, n // 2, n - 1, n}):
            over, under = log_e_over(s, n, m) >= -math.log(alpha), log_e_under(s, n, m) >= -math.log(alpha)
            assert np.all(np.diff(over.astype(int)) <= 0) and np.all(np.diff(under.astype(int)) >= 0)
            assert not np.isnan(log_e_over(s, n, m)).any()


def test_no_complete_block_gives_a_reason() -> None:
    found = rate_anytime([], 8)
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0) and "complete block" in found.reason
    none = difference_anytime(np.zeros((3, 0)), np.ones((3, 4)))
    assert (none.value, none.low, none.high, none.p_over) == (None, None, None, 1.0) and none.reason


def test_all_and_no_events() -> None:
    none, every = rate_anytime([0] * 5, 8), rate_anytime([8] * 5, 8)
    assert (none.value, none.low) == (0, 0) and none.high is not None and 0 < none.high < 0.25
    assert (every.value, every.high) == (1, 1) and every.low is not None and 0.75 < every.low < 1


def test_malformed_is_an_error() -> None:
    for call in (
        lambda: rate_anytime([9], 8),
        lambda: rate_anytime([1], 0),
        lambda: rate_anytime([1], 8, level=1.0),
        lambda: log_e_over(3, 2, 0.1),
        lambda: log_e_under(1, 2, 0.0),
        lambda: limits_path([1], 8, alpha_low=1.0),
        lambda: difference_anytime(np.zeros((2, 1)), np.zeros((3, 1))),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            call()
    with pytest.raises(dataclasses.FrozenInstanceError):
        rate_anytime([1], 8).value = 0.0  # type: ignore[misc]


def test_anytime_p() -> None:
    assert anytime_p(math.log(20)) == pytest.approx(0.05)
    assert anytime_p(-3.0) == 1.0 and anytime_p(2000.0) == 0.0


@pytest.mark.parametrize("p_q", [[0.002] * 8, [0.01] * 8, [0.3] * 8, [0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
def test_covers_at_every_look_together(p_q: list[float]) -> None:
    rng = np.random.default_rng(11)
    truth, misses = float(np.mean(p_q)), 0
    s_tb = np.cumsum(rng.binomial(1, np.tile(p_q, (1000, 100, 1))).sum(axis=2), axis=1)
    n_b = 8 * np.arange(1, 101)
    ever = (log_e_over(s_tb, n_b, truth) >= math.log(40)) | (log_e_under(s_tb, n_b, truth) >= math.log(40))
    misses = int(ever.any(axis=1).sum())
    assert misses / 1000 <= 0.05


def test_difference_finds_and_is_antisymmetric() -> None:
    rng = np.random.default_rng(12)
    a, b = rng.binomial(1, 0.3, size=(8, 30)), rng.binomial(1, 0.05, size=(8, 60))
    found, back = difference_anytime(a, b), difference_anytime(b, a)
    assert found.p_over < 0.001 and back.p_over == 1.0 and found.low is not None and found.low > 0
    assert found.value is not None and found.high is not None
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
