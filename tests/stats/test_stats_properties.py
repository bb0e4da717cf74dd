"""What every estimate of the kernel holds, whatever the table: labels, order, empty cells, sides, one more event; and
every edge with its reason."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from undertow.stats import Difference, difference_fixed, rate_clustered, rate_fixed
from undertow.stats.clustered import (
    difference_like_strata,
    difference_of,
    difference_these_strata,
    rate_like_strata,
    rate_these_strata,
)
from undertow.stats.sequential import log_e_over, log_e_under, rate_anytime

DIFFERENCES = [difference_these_strata, difference_like_strata]
Table = tuple[NDArray[np.int64], NDArray[np.int64]]


@st.composite
def tables(draw: st.DrawFn, least: int = 1, most: int = 3, arms: int = 2) -> list[Table]:
    """Tables (S, Q) of one shape; a cell may be empty, as where every answer was refused."""
    s, q = draw(st.integers(least, most)), draw(st.integers(1, 4))
    out = []
    for _ in range(arms):
        n = np.array(draw(st.lists(st.sampled_from([0, 1, 7, 30]), min_size=s * q, max_size=s * q))).reshape(s, q)
        share = np.array(draw(st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), min_size=s * q, max_size=s * q))).reshape(
            s, q
        )
        out.append((np.floor(share * n).astype(np.int64), n))
    return out


def same(x: object, y: object) -> None:
    """Equal but for rounding, field by field."""
    for name in ("value", "low", "high"):
        assert getattr(x, name) == pytest.approx(getattr(y, name), abs=1e-9), name


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_differences_know_no_order_of_strata_or_clusters_and_have_two_sides(two: list[Table], random) -> None:  # type: ignore[no-untyped-def]
    (e_a, n_a), (e_b, n_b) = two
    clusters, strata = list(range(len(n_a))), list(range(n_a.shape[1]))
    random.shuffle(clusters)
    random.shuffle(strata)
    for difference in DIFFERENCES:
        found = difference(e_a, n_a, e_b, n_b)
        same(difference(*(x[clusters][:, strata] for x in (e_a, n_a, e_b, n_b))), found)
        back = difference(e_b, n_b, e_a, n_a)
        if found.value is None or found.low is None or found.high is None:
            assert found.reason and back.value is None
            continue
        same(back, Difference(value=-found.value, low=-found.high, high=-found.low))
        assert -1 <= found.low <= found.value <= found.high <= 1


@given(tables())
@settings(max_examples=40, deadline=None)
def test_a_stratum_or_cluster_with_every_answer_refused_changes_no_estimate(two: list[Table]) -> None:
    (e_a, n_a), (e_b, n_b) = two

    def wider(x: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.pad(x, ((0, 1), (0, 1)))

    for rate in (rate_these_strata, rate_like_strata):
        same(rate(wider(e_a), wider(n_a)), rate(e_a, n_a))
    for difference in DIFFERENCES:
        same(difference(wider(e_a), wider(n_a), wider(e_b), wider(n_b)), difference(e_a, n_a, e_b, n_b))
        # Nor does a stratum that only one side has.
        one, none = np.full((len(n_a), 1), 3), np.zeros((len(n_a), 1), dtype=np.int64)
        same(
            difference(np.hstack([e_a, one]), np.hstack([n_a, one]), np.hstack([e_b, none]), np.hstack([n_b, none])),
            difference(e_a, n_a, e_b, n_b),
        )
    same(rate_fixed([*e_a[0], 0], [*n_a[0], 0]), rate_fixed(e_a[0], n_a[0]))
    same(rate_clustered([*e_a[0], 0], [*n_a[0], 0]), rate_clustered(e_a[0], n_a[0]))


@given(st.lists(st.integers(0, 19), min_size=3, max_size=3), st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_one_more_event_never_lowers_a_limit_of_one_cluster(events: list[int], at: int) -> None:
    more = [e + (q == at) for q, e in enumerate(events)]
    n = [20] * 3
    calls: list[Callable[[list[int]], object]] = [
        lambda e: rate_fixed(e, n),
        lambda e: rate_these_strata([[sum(e)]], [[60]]),
        lambda e: difference_fixed([sum(e)], [60], [9], [60]),
    ]
    for call in calls:
        before, after = call(events), call(more)
        for name in ("value", "low", "high"):
            assert getattr(after, name) >= getattr(before, name) - 1e-12
    # With unlike strata an event may take away from their spread more than it adds to the rate: the value alone is
    # monotone.
    for rate in (rate_these_strata, rate_like_strata):
        assert (rate([more], [n]).value or 0.0) > (rate([events], [n]).value or 0.0)


@given(st.integers(1, 400), st.sampled_from([0.002, 0.01, 0.3]), st.data())
@settings(max_examples=60, deadline=None)
def test_evidence_is_monotone_in_events(n: int, m: float, data: st.DataObject) -> None:
    s = data.draw(st.integers(0, n - 1))
    assert log_e_over(s + 1, n, m) >= log_e_over(s, n, m) and log_e_under(s + 1, n, m) <= log_e_under(s, n, m)


ONE = ([[3]], [[10]])
NONE = ([[0, 0]], [[0, 0]])


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (rate_fixed([0], [0]), "no trials"),
        (rate_fixed([], []), "no trials"),
        (rate_clustered([3], [10]), "one cluster with trials; the variance between clusters needs at least two"),
        (rate_these_strata(*NONE), "no trials"),
        (rate_like_strata(*NONE), "no trials"),
        (rate_like_strata(*ONE), "one stratum with trials; the spread between strata needs at least two"),
        (
            rate_like_strata([[3, 0]], [[10, 0]]),
            "one stratum with trials; the spread between strata needs at least two",
        ),
        (difference_fixed([1, 0], [2, 0], [0, 1], [0, 2]), "no group has trials on both sides"),
        (difference_these_strata([[1, 0]], [[2, 0]], [[0, 1]], [[0, 2]]), "no stratum has trials on both sides"),
        (difference_like_strata([[1, 0]], [[2, 0]], [[0, 1]], [[0, 2]]), "no stratum has trials on both sides"),
        (difference_like_strata(*ONE, *ONE), "one stratum with trials; the spread between strata needs at least two"),
        (difference_of(rate_these_strata(*ONE), rate_these_strata(*NONE)), "no trials"),
        (
            difference_of(
                Difference(value=None, low=None, high=None, reason="why"), Difference(value=0.1, low=0.0, high=0.2)
            ),
            "why",
        ),
        (rate_anytime([], 8), "no complete block: some stratum has no usable outcome"),
    ],
)
def test_no_estimate_says_why_and_never_says_zero(found, reason: str) -> None:  # type: ignore[no-untyped-def]
    assert (found.value, found.low, found.high, found.reason) == (None, None, None, reason)


def test_one_question_and_one_seed_have_an_estimate() -> None:
    assert rate_these_strata(*ONE).value == pytest.approx(0.3)
    found = difference_these_strata(*ONE, [[1]], [[10]])
    assert found == difference_fixed([3], [10], [1], [10])
    for d in (
        difference_these_strata([[10, 10]] * 3, [[10, 10]] * 3, [[0, 0]] * 3, [[10, 10]] * 3),
        difference_like_strata([[10, 10]], [[10, 10]], [[0, 0]], [[10, 10]]),
    ):
        assert (d.value, d.high) == (1.0, 1.0) and d.low is not None and 0 < d.low < 1


def test_seeds_on_one_side_alone_are_compared_too() -> None:
    n = np.full((3, 4), 50)
    one = difference_these_strata([[9] * 4, [10] * 4, [11] * 4], n, [[1] * 4], n[:1])
    assert one.value == pytest.approx(0.18) and one.low is not None and one.low > 0


def test_what_both_sides_share_is_no_part_of_a_difference_by_pairs() -> None:
    # Seeds raise both arms by as much: the differences agree, the rates do not.
    n = np.full((3, 8), 100)
    a, b = (
        np.array([[10], [20], [30]]) + np.zeros((1, 8), dtype=int),
        np.array([[5], [14], [26]]) + np.zeros((1, 8), dtype=int),
    )
    paired = difference_these_strata(a, n, b, n)
    apart = difference_of(rate_these_strata(a, n), rate_these_strata(b, n))
    assert paired.value == apart.value == pytest.approx(0.05)
    assert paired.low is not None and apart.low is not None and apart.low < 0 < paired.low


@pytest.mark.parametrize("difference", DIFFERENCES)
@pytest.mark.parametrize("bad", [([1], [2]), ([[3]], [[2]]), ([[0.5]], [[2]]), ([[1, 1]], [[2, 2]])])
def test_malformed_is_an_error(difference, bad) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="expected"):
        difference(*bad, *ONE)
