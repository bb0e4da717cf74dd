"""The kernel against statsmodels and SciPy, wherever they have the same method."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from tests.each import each

from undertow.stats import bonferroni, difference_fixed, holm, rate_fixed
from undertow.stats.clustered import integrated_limits, rate_these_strata
from undertow.stats.differences import _weighted_wilson
from undertow.stats.permutation import benjamini_hochberg, sign_flip
from undertow.stats.rates import clopper_pearson
from undertow.stats.sequential import log_e_difference, log_e_over, log_e_under

COUNTS = [(0, 10), (1, 10), (5, 10), (10, 10), (3, 800), (240, 800)]


@each("events, n", COUNTS)
@each("level", [0.9, 0.95, 0.9975])
def test_clopper_pearson(events: int, n: int, level: float) -> None:
    expected = proportion_confint(events, n, alpha=1 - level, method="beta")
    found = rate_fixed([events], [n], level=level)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-10)
    assert clopper_pearson(events, n - events, (1 - level) / 2) == pytest.approx(expected, abs=1e-10)


@each("events, n", COUNTS)
def test_wilson(events: int, n: int) -> None:
    p, low, high = _weighted_wilson(np.array([events]), np.array([n]), np.array([n]), stats.norm.ppf(0.975))
    expected = proportion_confint(events, n, method="wilson")
    assert p == events / n and (low, high) == pytest.approx(expected, abs=1e-12)


@each("a", COUNTS)
@each("b", COUNTS)
def test_newcombe(a: tuple[int, int], b: tuple[int, int]) -> None:
    found = difference_fixed([a[0]], [a[1]], [b[0]], [b[1]])
    expected = confint_proportions_2indep(*a, *b, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("wins", "losses", "same"), [(9, 1, 0), (6, 2, 4), (3, 3, 2), (0, 4, 1), (12, 0, 0)])
def test_sign_flip_of_single_trials_is_mcnemar_and_the_sign_test(wins: int, losses: int, same: int) -> None:
    n = np.ones(wins + losses + same, dtype=int)
    a = [*[1] * wins, *[0] * losses, *[1] * same]
    b = [*[0] * wins, *[1] * losses, *[1] * same]
    assert sign_flip(a, n, b, n).p == pytest.approx(mcnemar([[same, wins], [losses, 0]], exact=True).pvalue, abs=1e-12)
    assert sign_flip(a, n, b, n, one_sided=True).p == pytest.approx(
        stats.binomtest(wins, wins + losses, alternative="greater").pvalue, abs=1e-12
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (holm, "holm"),
        (benjamini_hochberg, "fdr_bh"),
        (lambda p: np.minimum(1, p / bonferroni(0.05, p.size) * 0.05), "bonferroni"),
    ],
)
def test_adjusted_p_values(ours, theirs: str) -> None:  # type: ignore[no-untyped-def]
    p = np.random.default_rng(1).random(25) ** 3
    assert ours(p) == pytest.approx(multipletests(p, method=theirs)[1], abs=1e-12)


@pytest.mark.parametrize(("events", "n"), [(0, 800), (3, 800), (40, 800), (5, 8)])
def test_e_is_never_more_than_the_best_bet_and_its_p_never_less_than_the_exact_test(events: int, n: int) -> None:
    # A fixed test at the last look is the least that one valid at every look can give.
    for m in (0.002, 0.01, 0.2, 0.6):
        rest = stats.binom.logpmf(events, n, events / n) - stats.binom.logpmf(events, n, m)
        over, under = float(log_e_over(events, n, m)), float(log_e_under(events, n, m))
        assert max(over, under) <= rest + 1e-9
        assert np.exp(-over) >= stats.binomtest(events, n, m, alternative="greater").pvalue
        assert np.exp(-under) >= stats.binomtest(events, n, m, alternative="less").pvalue
    assert np.exp(-float(log_e_difference(12, 1))) >= stats.binomtest(12, 13, alternative="greater").pvalue


def test_alike_clusters_of_a_large_table_come_near_the_pooled_binomial() -> None:
    # Ten clusters of a binomial's own spread: the integrated limits find little else, and are the binomial's but for a
    # factor.
    e = stats.binom.ppf((np.arange(10) + 0.5) / 10, 800, 0.1).astype(int)
    low, high = proportion_confint(e.sum(), 8000, method="beta")
    found = integrated_limits(e, np.full(10, 800), 0.025, 1.25)
    assert 1.0 <= (found[1] - found[0]) / (high - low) < 1.6
    whole = rate_these_strata(e[:, None], np.full((10, 1), 800))
    assert (whole.low, whole.high) == pytest.approx(found, rel=1e-3)
