"""The chance that more outcomes decide."""

import numpy as np
import pytest
from scipy.stats import betabinom

from undertow.stats.prospects import _at_most, outcomes_for, over_at, prospect, under_at
from undertow.stats.sequential import log_e_over, log_e_under

M, ARMS = 0.01, 20


@pytest.mark.parametrize("n", [8, 335, 336, 704, 2000, 20_000])
def test_counts_that_are_enough(n: int) -> None:
    counts = np.arange(min(n, 600) + 1)
    under = [s for s in counts if log_e_under(s, n, M) >= np.log(20)]
    over = [s for s in counts if log_e_over(s, n, M) >= np.log(400)]
    assert under_at(np.array([float(n)]), M, 0.05)[0] == max(under, default=-1)
    assert over_at(np.array([float(n)]), M, 0.05 / ARMS)[0] == min(over)


def test_events_to_come_are_beta_binomial() -> None:
    e, n, t = np.array([0.0, 3.0]), np.array([100.0, 800.0]), np.array([50.0, 400.0])
    most = np.array([[2.0, 7.0], [-1.0, 400.0]])
    found = _at_most(e, n, t, np.array([0.01, 0.02]), np.array([50.0, 200.0]), most)
    for j, (mean, alike) in enumerate(((0.01, 50.0), (0.02, 200.0))):
        for c in (0, 1):
            for row in (0, 1):
                by_hand = betabinom.cdf(most[row, c], t[c], e[c] + alike * mean, n[c] - e[c] + alike * (1 - mean))
                assert found[row, j, c] == pytest.approx(by_hand, abs=1e-9)


def test_what_is_sure_is_sure() -> None:
    n, more = np.full(ARMS, 400), np.full(ARMS, 4000)
    clean = prospect(np.zeros(ARMS), n, more, M, alpha_over=0.05 / ARMS, alpha_under=0.05)
    assert clean.under > 0.95 and clean.over < 0.05
    bad = prospect([60] + [0] * (ARMS - 1), n, more, M, alpha_over=0.05 / ARMS, alpha_under=0.05)
    assert bad.over > 0.999 and bad.under < 1e-6
    done = prospect(np.zeros(ARMS), n, more, M, alpha_over=0.05 / ARMS, alpha_under=0.05, of=np.zeros(ARMS, bool))
    assert (done.under, done.over) == (1.0, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.002, 0.003, 0.005])
def test_the_advised_number_decides_as_often_as_it_says(rate: float) -> None:
    """Arms alike at a rate, 800 outcomes each: the advice for 50 and 80%, followed. (Plugging the estimate in reached a
    verdict in 69, 27 and 2%.)"""
    rng = np.random.default_rng(round(rate * 1e4))
    for wanted in (0.5, 0.8):
        reached = []
        for _ in range(15):
            e, n = rng.binomial(800, rate, ARMS).astype(float), np.full(ARMS, 800.0)

            def chance(more: int, e: np.ndarray = e, n: np.ndarray = n) -> float:
                found = prospect(e, n, np.full(ARMS, more), M, alpha_over=0.05 / ARMS, alpha_under=0.05)
                return found.under + found.over

            more = outcomes_for(chance, wanted, most=50_000)
            if more is None:
                continue
            for _ in range(10):
                s = e + rng.binomial(more, rate, ARMS)
                reached.append(
                    bool(
                        (log_e_under(s, n + more, M) >= np.log(20)).all()
                        or (log_e_over(s, n + more, M) >= np.log(400)).any()
                    )
                )
        assert len(reached) >= 100 and np.mean(reached) >= wanted - 0.1


def test_no_number_is_found_where_most_is_too_few() -> None:
    assert outcomes_for(lambda n: n / 1000, 0.5, most=400) is None
    assert 475 <= (outcomes_for(lambda n: n / 1000, 0.5, most=1000) or 0) <= 530
