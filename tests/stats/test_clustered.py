"""clustered: Clopper-Pearson as the limiting case, the averaged likelihood by brute force, properties, coverage in a
fast form."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.interpolate import CubicSpline
from scipy.special import expit, logit
from tests.each import each

import undertow.stats.clustered as module
from undertow.stats import rate_clustered, rate_fixed
from undertow.stats.clustered import (
    ClusteredRate,
    bootstrap_rates,
    count_cells,
    difference_of,
    difference_these_strata,
    integrated_limits,
    rate_like_strata,
    rate_these_strata,
)

BOTH = pytest.mark.parametrize("rate", [rate_these_strata, rate_like_strata])


@pytest.mark.parametrize(("events", "n"), [(0, 800), (3, 100), (15, 1200), (60, 100), (100, 100)])
def test_without_spread_it_is_clopper_pearson(monkeypatch: pytest.MonkeyPatch, events: int, n: int) -> None:
    monkeypatch.setattr(module, "PULL", 1.0)
    module._integrated.cache_clear()
    expected = rate_fixed([events], [n])
    found = integrated_limits([events], [n], 0.025, 1e-6)
    module._integrated.cache_clear()
    assert found == pytest.approx((expected.low, expected.high), rel=2e-2)


@each("e, m", [(0, 100), (1, 100), (30, 100), (300, 1000), (100, 100), (0.7, 20.0)])
@each("sd", [0.1, 0.6, 2.0])
def test_one_group_by_brute_force(e: float, m: float, sd: float) -> None:
    centre = math.log((e + 0.5) / (m - e + 0.5))
    mu = centre + np.array([[-1.0, 0.0, 1.0]]) * min(1.0, 2 * sd)
    x = np.linspace(-25, 25, 200001)
    top = e * math.log(e / (m - e)) - m * math.log1p(e / (m - e)) if 0 < e < m else 0.0
    expected = [
        math.log(np.trapezoid(np.exp(e * x - m * np.logaddexp(0, x) - top) * stats.norm.pdf(x, u, sd), x))
        for u in mu[0]
    ]
    assert module._one_group(float(e), float(m), mu, np.array([sd]))[0] == pytest.approx(expected, abs=2e-3)


def test_one_cluster_equal_sizes_by_hand() -> None:
    # No events: the size is the plain total, so the limits are Clopper and Pearson's.
    none = rate_these_strata([[0] * 8], [[100] * 8])
    assert (none.value, none.low) == (0, 0) and none.high == pytest.approx(1 - 0.025 ** (1 / 800), rel=1e-9)
    # Alike strata: v_q = 0.25 * 11/10 * (10/11 shrinks nothing at p_q = p), so n_eff = 20 * 10/11.
    half = rate_these_strata([[5, 5]], [[10, 10]])
    size = 20 * 10 / 11
    assert half.low == pytest.approx(stats.beta.ppf(0.025, size / 2, size / 2 + 1), abs=1e-9)


def test_strata_weigh_the_same() -> None:
    # 10% and 50%, sampled 100 and 10: pooled 13.6%, equal weight 30%.
    assert rate_these_strata([[10, 5]], [[100, 10]]).value == pytest.approx(0.3)
    assert rate_like_strata([[10, 5]], [[100, 10]]).value == pytest.approx(0.3)


def test_the_two_targets_are_not_one() -> None:
    events, n = [[30, 0, 0, 0, 0, 0, 0, 0]], [[100] * 8]
    these, like = rate_these_strata(events, n), rate_like_strata(events, n)
    assert these.high is not None and like.high is not None and these.low is not None and like.low is not None
    assert like.low < these.low and like.high > 2 * these.high


def test_clusters_that_differ_widen() -> None:
    n = [[100] * 4] * 3
    alike, near, unlike = (
        rate_these_strata([[k] * 4 for k in events], n) for events in ([10, 10, 10], [8, 10, 12], [1, 4, 25])
    )
    widths = [r.high - r.low for r in (alike, near, unlike) if r.high is not None and r.low is not None]
    assert widths[0] < widths[1] < widths[2] and alike.clusters == 3
    # Clusters that agree to the last event: the limits of one that pools them at three times the tail, and no nearer.
    pooled = rate_these_strata([[30] * 4], [[300] * 4], level=0.85)
    assert (alike.low, alike.high) == pytest.approx((pooled.low, pooled.high), abs=1e-12)


@pytest.mark.parametrize("events", [[10, 10], [2, 10, 10], [98, 50, 50]])
def test_clusters_agreement_counts_only_from_three_with_three_events_and_others(events: list[int]) -> None:
    e_s, n_s = np.array(events, dtype=float), np.full(len(events), 100.0)
    found = rate_these_strata(e_s[:, None], n_s[:, None])
    pairs = np.array([module._effective(np.array([e]), np.array([100.0])).low for e in e_s])
    assert (found.low, found.high) == pytest.approx(
        integrated_limits(pairs[:, 0], pairs[:, 1], 0.025, module.CLUSTER_SPREAD), rel=1e-12
    )


@pytest.mark.parametrize(
    ("e_g", "m_g"),
    [([3, 9, 30], [800, 800, 800]), ([0, 0, 1, 2], [100] * 4), ([400, 620], [1000, 1000]), ([2.5, 0.7], [40.0, 31.5])],
)
def test_limits_by_brute_force(e_g: list[float], m_g: list[float]) -> None:
    # The module's definition on dense grids: sd s with its shares, logit-normal groups, p their mean rate, quantiles of
    # the posterior.
    z, mu, x = np.linspace(-8, 8, 161), np.linspace(-14, 6, 401), np.linspace(-11, 3, 3001)
    w = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    s_k = 1.25 * np.array([*np.arange(17) / 16, 1.2, 1.4, 1.6, 1.8, 2.0])
    h_k = np.array([0.25 + 0.73 / 32, *[0.73 / 16] * 15, 0.73 / 32, *[0.02 / 5] * 5])
    log_l = np.zeros((22, x.size))
    for k, s in enumerate(s_k):
        eta = mu[:, None] + s * z
        share = expit(eta)
        top = [e * math.log(e / m) + (m - e) * math.log(1 - e / m) if e else 0.0 for e, m in zip(e_g, m_g, strict=True)]
        total = sum(
            np.log(np.maximum(np.exp(e * eta - m * np.logaddexp(0, eta) - c) @ w, 1e-300))
            for e, m, c in zip(e_g, m_g, top, strict=True)
        )
        log_l[k] = CubicSpline(logit(share @ w), np.maximum(total, -600.0))(x)
    density = h_k @ np.exp(log_l - log_l.max())
    found = integrated_limits(e_g, m_g, 0.025, 1.25)
    for side, tail, limit in ((-1, 0.025, found[0]), (1, 0.975, found[1])):
        mass = np.cumsum(density * expit(side * x) ** 0.85)
        assert limit == pytest.approx(expit(np.interp(tail, mass / mass[-1], x)), rel=5e-3)


def test_few_events_in_one_stratum_are_not_taken_for_sure() -> None:
    # One event, or none: the spread seen is the least there can be, and Korn and Graubard's limit takes that for
    # knowledge.
    for first in (0, 1):
        table = ([first, 0, 0, 0, 0, 0, 0, 0], [100] * 8)
        old, new = rate_clustered(*table), rate_like_strata([table[0]], [table[1]])
        assert old.high is not None and new.high is not None and new.high > 2 * old.high


@BOTH
def test_no_trials_gives_a_reason(rate) -> None:  # type: ignore[no-untyped-def]
    for table in (np.zeros((0, 0)), np.zeros((2, 3))):
        found = rate(table, table)
        assert found == ClusteredRate(
            value=None, low=None, high=None, events=0, n=0, clusters=0, strata=0, reason="no trials"
        )


def test_one_stratum_and_left_out_strata() -> None:
    assert "at least two" in rate_like_strata([[3]], [[10]]).reason
    assert rate_these_strata([[3]], [[10]]).value == 0.3
    part = rate_these_strata([[3, 0]], [[10, 0]])
    assert part.strata == 1 and part.value == 0.3 and "1 strata" in part.reason


@BOTH
def test_all_events(rate) -> None:  # type: ignore[no-untyped-def]
    found = rate([[10] * 8] * 2, [[10] * 8] * 2)
    assert (found.value, found.high) == (1.0, 1.0) and 0.5 < found.low < 1


@given(st.lists(st.integers(0, 12), min_size=12, max_size=12), st.permutations(range(4)), st.permutations(range(3)))
@settings(max_examples=15, deadline=None)
def test_relabelling_changes_nothing_and_complement_mirrors(x: list[int], order: list[int], seeds: list[int]) -> None:
    e, n = np.array(x).reshape(3, 4), np.full((3, 4), 12)
    for rate in (rate_these_strata, rate_like_strata):
        found, moved, mirror = rate(e, n), rate(e[seeds][:, order], n), rate(n - e, n)
        assert found.low is not None and found.high is not None and found.value is not None
        assert (moved.low, moved.high) == pytest.approx((found.low, found.high), abs=1e-9)
        assert mirror.low is not None and mirror.high is not None
        assert (1 - mirror.high, 1 - mirror.low) == pytest.approx((found.low, found.high), abs=2e-3)
        assert 0 <= found.low <= found.value <= found.high <= 1


@BOTH
def test_level_widens_and_malformed_is_an_error(rate) -> None:  # type: ignore[no-untyped-def]
    narrow, wide = rate([[1, 4, 0]], [[20, 20, 20]], level=0.8), rate([[1, 4, 0]], [[20, 20, 20]], level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high
    for events, n in (([1], [2]), ([[3]], [[2]]), ([[0.5]], [[2]]), ([[1]], [[2, 3]])):
        with pytest.raises(ValueError, match="expected"):
            rate(events, n)
    with pytest.raises(ValueError, match="level"):
        rate([[1]], [[2]], level=1.0)


def test_difference_by_hand() -> None:
    a, b = rate_these_strata([[8, 4]], [[20, 20]]), rate_these_strata([[1, 0]], [[20, 20]])
    found = difference_of(a, b)
    assert a.value is not None and a.low is not None and b.value is not None and b.high is not None
    assert found.value == pytest.approx(0.275)
    assert found.low == pytest.approx(0.275 - math.hypot(0.3 - a.low, b.high - 0.025))
    assert difference_of(found, found).value == 0.0
    none = difference_of(a, rate_these_strata([[0]], [[0]]))
    assert none.value is None and none.reason == "no trials"


def test_bootstrap_agrees_with_resampling_clusters_one_at_a_time() -> None:
    rng = np.random.default_rng(1)
    n = np.full((2, 5, 4), 30)
    e = rng.binomial(n, rng.uniform(0.05, 0.5, size=(2, 5, 1)))
    draws = bootstrap_rates(e, n, draws=4000)
    assert draws.shape == (4000, 2)
    picks = rng.integers(0, 5, size=(4000, 5))
    loop = np.array([(e[0, s].sum(axis=0) / n[0, s].sum(axis=0)).mean() for s in picks])
    assert draws[:, 0].mean() == pytest.approx(loop.mean(), rel=0.02) and draws[:, 0].std() == pytest.approx(
        loop.std(), rel=0.06
    )
    # Arms get the same weights: an arm minus itself is 0 in every draw.
    twin = bootstrap_rates(np.stack([e[0], e[0]]), np.stack([n[0], n[0]]), draws=50, random_strata=True)
    assert np.all(twin[:, 0] == twin[:, 1])


def test_bootstrap_of_one_cluster_and_of_empty_cells() -> None:
    draws = bootstrap_rates([[[10, 10]]], [[[20, 20]]], draws=4000)
    assert draws.mean() == pytest.approx(0.5, abs=0.01) and draws.std() == pytest.approx(math.sqrt(0.25 / 40), rel=0.06)
    assert np.isnan(bootstrap_rates([[[0, 0]]], [[[0, 0]]], draws=5)).all()
    with pytest.raises(ValueError, match="expected"):
        bootstrap_rates([[1]], [[2]])


def test_cells_are_counted() -> None:
    events, n = count_cells([0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [1, 1, 0, 2, 2], [1, 0, 1, 0, 1], (2, 2, 3))
    assert n[0, 0, 1] == 2 and events[0, 0, 1] == 1 and n[1, 1, 2] == 2 and events.sum() == 3 and n.sum() == 5
    assert count_cells([], [], [], [], (1, 1, 1))[1].tolist() == [[[0]]]
    for bad in (([0], [0], [0], [2], (1, 1, 1)), ([1], [0], [0], [1], (1, 1, 1)), ([0, 0], [0], [0], [1], (1, 1, 1))):
        with pytest.raises(ValueError, match=r"column|code"):
            count_cells(*bad)


def _centre(p: float, sd: float) -> float:
    """Centre of a normal logit of that sd whose mean rate is p."""
    z = np.linspace(-8, 8, 321)
    w = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    low, high = -30.0, 10.0
    for _ in range(60):
        mid = (low + high) / 2
        low, high = (mid, high) if w @ expit(mid + sd * z) < p else (low, mid)
    return low


@pytest.mark.parametrize(("p", "sd"), [(0.01, 1.5), (0.05, 1.0), (0.3, 0.5)])
def test_covers_questions_at_random(p: float, sd: float) -> None:
    rng, n = np.random.default_rng(8), np.full((1, 8), 100)
    found = [
        rate_like_strata(rng.binomial(n, expit(_centre(p, sd) + sd * rng.standard_normal(8))), n) for _ in range(120)
    ]
    assert np.mean([r.low <= p <= r.high for r in found if r.low is not None and r.high is not None]) >= 0.92


@pytest.mark.parametrize("p", [0.002, 0.05, 0.3])
def test_covers_these_strata_with_one_cluster(p: float) -> None:
    rng, n = np.random.default_rng(9), np.full((1, 8), 100)
    p_q = expit(logit(p) + 1.5 * np.linspace(-1.5, 1.5, 8))
    found = [rate_these_strata(rng.binomial(n, p_q), n) for _ in range(1500)]
    share = np.mean([r.low <= p_q.mean() <= r.high for r in found if r.low is not None and r.high is not None])
    assert 0.94 <= share <= (0.99 if 800 * p_q.mean() >= 20 else 1.0)


def test_one_event_in_a_stratum_that_hardly_has_trials_is_one_of_few() -> None:
    found = rate_these_strata([[1] + [0] * 7], [[1] + [100] * 7])
    # Fay and Feuer: p = 1/8 and v = (1/8)^2 make one event of eight
    assert found.value == pytest.approx(1 / 8)
    assert found.low == pytest.approx(stats.beta.ppf(0.025, 1, 8))
    nothing = rate_these_strata([[0] * 8], [[1] + [100] * 7])
    # the question asked once weighs an eighth
    assert nothing.low == 0 and nothing.high == pytest.approx(1 - 0.025 ** (1 / 8))


@pytest.mark.parametrize("e_q", [[0] * 8, [3, 0, 0, 0, 1, 0, 0, 0], [40] * 8, [100] * 8])
def test_weighted_limits_are_the_binomial_ones_where_weights_are_alike(e_q: list[int]) -> None:
    e, m = np.array(e_q, dtype=float), np.full(8, 100.0)
    found = module._weighted(e, 1 / (8 * m), float(e.sum() / 800), 800.0)
    assert found.low == pytest.approx((e.sum(), 800)) and found.high == pytest.approx((e.sum(), 800))


def test_refusals_that_choose_accuse_nobody() -> None:
    """One question of eight carries 8% and is mostly refused, so that the suite's rate is exactly the material 1%."""
    rng = np.random.default_rng(5)
    over = under = drawn = 0
    for refused in (0.95, 0.9, 0.5):
        for _ in range(300):
            n = np.array([rng.binomial(100, 1 - refused), *[100] * 7])
            if n[0]:
                found = rate_these_strata([[rng.binomial(n[0], 0.08), *[0] * 7]], [n])
                assert found.low is not None and found.high is not None
                over, under, drawn = over + (found.low > 0.01), under + (found.high < 0.01), drawn + 1
    assert over <= 0.025 * drawn and under <= 0.025 * drawn


def test_a_difference_weighs_every_stratum_alike() -> None:
    found = difference_these_strata([[5] + [0] * 7], [[10] + [100] * 7], [[0] * 8], [[10] + [100] * 7])
    assert found.value == pytest.approx(0.0625)
    assert found.low is not None and found.high is not None and found.low < 0.0625 < found.high
    a_little = difference_these_strata([[5, 0]], [[100, 90]], [[0, 0]], [[100, 100]])
    assert a_little.value == pytest.approx(0.025)


def test_far_limits_are_those_of_the_two_rates_and_tell_more_far_out():
    n = [[100] * 8]
    a, b = [[5] * 8], [[0, 1] * 4]
    for level in (0.95, 1 - 1e-5):
        far = difference_these_strata(a, n, b, n, level=level, far=True)
        assert far == difference_of(*(rate_these_strata(e, n, level=level) for e in (a, b)))
    assert far.low > difference_these_strata(a, n, b, n, level=level).low
