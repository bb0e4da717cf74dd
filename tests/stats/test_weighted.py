"""Rates of a population from a weighted, stratified sample: against the formulas, and by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import betaincinv, ndtri, stdtrit
from tests.each import each

from undertow.stats.rates import clopper_pearson
from undertow.stats.weighted import WeightedRate, rate_weighted, upper_limit


@each("events, n", [(0, 20), (1, 20), (7, 20), (20, 20), (3, 400), (399, 400)])
def test_units_that_weigh_the_same_have_the_limits_of_clopper_and_pearson(events: int, n: int) -> None:
    p = events / n
    low, high = clopper_pearson(events, n - events, 0.025)
    assert upper_limit(p, p * (1 - p) / n, 1 / n, 0.025) == pytest.approx(high, rel=1e-9)
    assert 1 - upper_limit(1 - p, p * (1 - p) / n, 1 / n, 0.025) == pytest.approx(low, rel=1e-9, abs=1e-12)
    found = rate_weighted([1.0] * events + [0.0] * (n - events), [3.0] * n, ["all"] * n)
    assert found.value == pytest.approx(p)
    assert found.low is not None and found.high is not None  # hardly wider, since it does not know its variance
    assert low - 0.02 <= found.low <= low + 1e-9 and high - 1e-9 <= found.high <= high + 0.02


def test_without_events_the_heaviest_unit_decides() -> None:
    found = rate_weighted([0.0] * 110, [9.0] * 10 + [1.0] * 100, ["heavy"] * 10 + ["light"] * 100)
    share = 9 / 190
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / (1 / share)), rel=1e-9)


def test_the_formula_by_hand() -> None:
    """Two strata of three and two units; p, v, degrees of freedom and both limits written out."""
    y, w = [1.0, 0.0, 0.0, 0.5, 1.0], [2.0, 2.0, 2.0, 1.0, 3.0]
    found = rate_weighted(y, w, ["a", "a", "a", "b", "b"], sizes={"a": 30.0, "b": 10.0})
    p_a, p_b = 1 / 3, (0.5 * 1 + 1.0 * 3) / 4
    p = 0.75 * p_a + 0.25 * p_b
    u_a, u_b = [3 * (1 / 3) * (v - p_a) for v in (1, 0, 0)], [2 * 0.25 * (0.5 - p_b), 2 * 0.75 * (1 - p_b)]
    s_a = 4 / 9 * (sum(u * u for u in u_a) + 3 / 4 * (p_a - p) ** 2)
    s_b = 3 / 4 * (sum(u * u for u in u_b) + 2 / 3 * (p_b - p) ** 2)
    v_a, v_b = 0.75**2 * s_a / 3, 0.25**2 * s_b / 2
    freedom = (v_a + v_b) ** 2 / (v_a**2 / 3 + v_b**2 / 2)
    v = (v_a + v_b) * (stdtrit(freedom, 0.025) / ndtri(0.025)) ** 2
    heaviest = max(0.75 / 3, 0.25 * 3 / 4)

    def limit(p: float) -> float:
        mean = (p + heaviest) / (1 + heaviest)
        spread = (v + heaviest**2 * (1 - p)) / ((1 + heaviest) ** 2 * (1 + 2 * heaviest))
        trials = mean * (1 - mean) / spread - 1
        return float(betaincinv(trials * mean, trials * (1 - mean), 0.975))

    assert found.value == pytest.approx(p)
    assert (found.low, found.high) == (pytest.approx(1 - limit(1 - p)), pytest.approx(limit(p)))
    assert found.units == 5


def test_what_there_is_no_estimate_of() -> None:
    nothing = WeightedRate(value=None, low=None, high=None, units=0, reason="no units")
    assert rate_weighted([], [], []) == nothing
    assert rate_weighted([], [], [], sizes={"a": 3.0}) == nothing
    assert "nothing is known of b" in rate_weighted([0.0], [1.0], ["a"], sizes={"a": 1.0, "b": 2.0}).reason


@each(
    "share, weight, stratum",
    [
        ([0.5], [1.0, 2.0], ["a"]),
        ([1.5], [1.0], ["a"]),
        ([0.5], [0.0], ["a"]),
        ([math.nan], [1.0], ["a"]),
        ([0.5], [1.0], []),
    ],
)
def test_columns_that_do_not_fit(share: list[float], weight: list[float], stratum: list[str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        rate_weighted(share, weight, stratum)


BIG = (970,) * 5


@pytest.mark.slow
@each(
    "sizes, rates, drawn",
    [
        ((5000,), (0.02,), (400,)),
        ((5000,), (0.5,), (20,)),
        ((*BIG, 150), (0.0,) * 5 + (0.45,), (77,) * 5 + (15,)),  # all of it in a rare cluster
        ((*BIG, 150), (0.01,) * 5 + (0.9,), (74,) * 5 + (30,)),
        ((3000, 1000, 1000), (0.02, 0.0, 0.0), (100, 150, 150)),  # in the one whose units weigh most
        ((3000, 1000, 1000), (0.0, 0.05, 0.0), (100, 150, 150)),
        ((100,) * 50, (0.0,) * 48 + (0.5,) * 2, (8,) * 50),
        ((100,) * 50, (0.1,) * 50, (2,) * 50),
        ((100,) * 50, (0.6,) * 50, (8,) * 50),
        ((100, 20), (0.1, 0.5), (10, 5)),
    ],
)
def test_it_covers(sizes: Sequence[int], rates: Sequence[float], drawn: Sequence[int]) -> None:
    rng = np.random.default_rng(1)
    truth = float(np.dot(sizes, rates) / sum(sizes))
    weights = np.repeat(np.divide(sizes, drawn), drawn)
    strata, p = np.repeat(np.arange(len(sizes)), drawn), np.repeat(rates, drawn)
    covered = 0
    for _ in range(400):
        found = rate_weighted((rng.random(p.size) < p).astype(float), weights, strata.tolist())
        assert found.low is not None and found.high is not None
        covered += found.low <= truth <= found.high
    assert covered >= 0.93 * 400
