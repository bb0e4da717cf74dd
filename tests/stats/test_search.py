"""search: each verdict worked by hand, the order of requests, giving up, and error rates by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from undertow.stats.search import NEARLY, PATIENCE, Decision, SearchPlan, Track, decide
from undertow.stats.sequential import complete_blocks, log_e_over


def _track(blocks: list[int], strata: int = 8, material: float = 0.01) -> Track:
    """A track whose k-th block has that many events, in its first strata."""
    track = Track(strata, material)
    for events in blocks:
        for q in range(strata):
            track.add(q, int(q < events))
    return track


def _search(
    rng: np.random.Generator, p_cq: NDArray[np.float64], plan: SearchPlan, usable: float = 1.0
) -> tuple[Decision, list[Track]]:
    tracks = [Track(p_cq.shape[1], plan.material) for _ in p_cq]
    while True:
        found = decide(tracks, plan)
        if found.verdict is not None:
            assert found.batch == ()
            return found, tracks
        assert found.batch and not {c for c, _ in found.batch} & {
            *found.over,
            *found.under,
            *found.starved,
            *found.spent,
        }
        for c, q in found.batch:
            assert tracks[c].requested_q[q] < plan.max_requests
            tracks[c].add(q, int(rng.random() < p_cq[c, q]) if rng.random() < usable else None)


PLAN = SearchPlan(material=0.01)


def test_first_look_asks_a_block_of_every_arm_the_control_first() -> None:
    arms = [Track(3, 0.01), Track(3, 0.01)]
    found = decide(arms, SearchPlan(material=0.01, control=1))
    assert found.verdict is None and found.batch == ((1, 0), (1, 1), (1, 2), (0, 0), (0, 1), (0, 2))
    assert decide(arms, SearchPlan(material=0.01, control=1, width=1)).batch == ((1, 0), (1, 1), (1, 2))


def test_next_is_the_suspect_and_otherwise_the_least_tried() -> None:
    assert decide([_track([0]), _track([0]), _track([1])], PLAN).batch[0][0] == 2
    assert decide([_track([0]), _track([]), _track([0, 0])], PLAN).batch[0][0] == 1
    assert decide([_track([0, 0]), _track([0]), _track([0])], PLAN).batch[0][0] == 1
    # Arms nearly as likely as the best are asked together, a look no more than `width`; those that are not, not.
    arms = [_track([0] * 20), *[_track([0]) for _ in range(3)]]
    assert arms[0].log_over < arms[1].log_over - NEARLY
    assert [c for c, _ in decide(arms, PLAN).batch] == [1] * 8 + [2] * 8 + [3] * 8
    assert [c for c, _ in decide(arms, SearchPlan(material=0.01, width=2)).batch] == [1] * 8 + [2] * 8
    assert {c for c, _ in decide([_track([0]), _track([]), _track([1])], PLAN).batch} == {2}
    # So are arms that are held against rates a little apart.
    arms[2].against(0.0099)
    assert {c for c, _ in decide(arms, PLAN).batch} == {1, 2, 3}


def test_an_arm_is_asked_deeper_but_never_past_the_deciding_block() -> None:
    def depth(blocks: list[int], **plan: float) -> int:
        batch = decide([_track(blocks)], SearchPlan(material=0.01, **plan)).batch  # type: ignore[arg-type]
        return sum(q == 0 for _, q in batch)

    # A quarter of the blocks known, at least one; 42 blocks without an event decide (336 outcomes at 1%).
    assert [depth([0] * k) for k in (0, 4, 7, 8, 16, 33, 34, 41)] == [1, 1, 1, 2, 4, 8, 8, 1]
    assert decide([_track([0] * 41)], PLAN).verdict is None and decide([_track([0] * 42)], PLAN).verdict == "all_under"
    assert depth([0] * 34, ahead=1.0) == 8 and depth([0] * 34, ahead=0.0) == 1
    # With an event as deep; 88 blocks decide (704 outcomes).
    assert [depth([1] + [0] * k) for k in (20, 23, 75, 86)] == [5, 6, 12, 1]
    assert depth([0] * 16, max_requests=18) == 2


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.25, 1.0]),
    st.sampled_from([1.0, 0.7]),
    st.sampled_from([None, 1, 3]),
)
@settings(max_examples=15, deadline=None)
def test_claims_of_a_search_are_those_of_its_blocks_whatever_the_allocation(
    seed: int, ahead: float, usable: float, width: int | None
) -> None:
    # One array of outcomes, drawn in any order: what is known of an arm's first blocks is the same, and the search
    # ends.
    rng = np.random.default_rng(seed)
    outcomes = np.where(
        rng.random((3, 4, 60)) < usable, rng.random((3, 4, 60)) < np.array([0.0, 0.05, 0.3])[:, None, None], -1
    ).tolist()
    plan = SearchPlan(material=0.1, max_requests=60, ahead=ahead, width=width, find_all=True)
    tracks = [Track(4, 0.1) for _ in range(3)]
    while (found := decide(tracks, plan)).verdict is None:
        for c, q in found.batch:
            x = outcomes[c][q][tracks[c].requested_q[q]]
            tracks[c].add(q, None if x < 0 else x)
    for c, track in enumerate(tracks):
        blocks = complete_blocks(
            [
                [None if x < 0 else x for x in row[:asked]]
                for row, asked in zip(outcomes[c], track.requested_q, strict=True)
            ]
        )
        assert blocks.sum(axis=0).tolist() == track.events_b
        log_e = log_e_over(np.cumsum(track.events_b), 4 * np.arange(1, track.blocks + 1), 0.1)
        assert track.max_over == pytest.approx(max(0.0, *log_e.tolist())) if track.blocks else track.max_over == 0.0


def test_few_looks_for_the_same_answers() -> None:
    # Twenty clean arms: 42 blocks each, as one at a time would give, at 17 looks and not 840.
    looks, tracks = 0, [Track(8, 0.01) for _ in range(20)]
    while (found := decide(tracks, PLAN)).verdict is None:
        looks += 1
        for c, q in found.batch:
            tracks[c].add(q, 0)
    assert (found.verdict, looks, {t.blocks for t in tracks}) == ("all_under", 17, {42})


def test_a_batch_completes_what_lags() -> None:
    track = Track(3, 0.01)
    for q, x in ((0, 1), (1, None), (2, 0), (1, None)):
        track.add(q, x)
    assert track.blocks == 0 and track.wanted(1, 250) == [1]
    # Two more blocks: stratum 1 lacks two, the others, one ahead, one; in turns, so that a cut-off batch is even.
    assert track.wanted(2, 250) == [0, 1, 2, 1] and track.wanted(2, 3) == [0, 1, 2]
    assert not track.spent(3) and track.spent(2)
    track.add(1, 0)
    assert (track.blocks, track.events, track.n, track.requested_q) == (1, 1, 3, [1, 3, 1])


def test_each_verdict() -> None:
    clean, bad, unsure = _track([0] * 42), _track([4, 4, 4]), _track([0] * 3)
    assert decide([bad, unsure], PLAN).verdict == "control_over"
    assert decide([clean, clean], PLAN).verdict == "all_under"
    found = decide([clean, unsure, bad], PLAN)
    assert (found.verdict, found.over, found.under) == ("others_over", (2,), (0,))
    # The control is not yet decided: only it is asked.
    more = decide([unsure, unsure, bad], PLAN)
    assert more.verdict is None and {c for c, _ in more.batch} == {0}
    assert decide([unsure, clean], SearchPlan(material=0.01, max_requests=3)).verdict == "undecided"
    assert decide([clean, unsure], SearchPlan(material=0.01, max_requests=3)).spent == (1,)
    # One arm given up does not end the search of the others.
    assert decide([clean, unsure, _track([0])], SearchPlan(material=0.01, max_requests=3)).batch[0][0] == 2


def test_find_all_goes_on() -> None:
    clean, bad, unsure = _track([0] * 42), _track([4, 4, 4]), _track([0] * 3)
    plan = SearchPlan(material=0.01, find_all=True)
    assert decide([clean, unsure, bad], plan).batch[0][0] == 1
    assert decide([clean, clean, bad], plan).verdict == "others_over"


def test_family_and_weights() -> None:
    # Two events in the first block: E = 47.9 at m = 1%; enough alone, not among ten.
    suspect = _track([2])
    assert math.exp(suspect.max_over) == pytest.approx(47.941, abs=1e-3)
    assert decide([suspect], PLAN).over == (0,)
    arms = [suspect, *[_track([0]) for _ in range(9)]]
    assert decide(arms, PLAN).over == ()
    assert decide(arms, SearchPlan(material=0.01, weights=(100.0, *[1.0] * 9))).over == (0,)


def test_starved_arms_are_given_up() -> None:
    track = Track(2, 0.01)
    for _ in range(20):
        track.add(0, None)
    assert track.starved and decide([_track([0] * 42), track], PLAN).starved == (1,)
    assert decide([track, _track([0], strata=2)], PLAN).verdict == "undecided"
    rng = np.random.default_rng(0)
    found, _ = _search(rng, np.zeros((2, 2)), SearchPlan(material=0.2), usable=0.0)
    assert found.verdict == "undecided" and found.starved == (0, 1)


def _asked(usable: int, asked: int, strata: int = 4) -> Track:
    track = Track(strata, 0.01)
    for i in range(asked):
        track.add(i % strata, 0 if i < usable else None)
    return track


def test_an_arm_with_surely_under_half_usable_is_given_up() -> None:
    # P(at most k of 40 usable) at a half: k = 9 gives 0.0003, k = 10 gives 0.0011, so that 9 is surely under half and
    # 10 is not.
    assert (stats.binom.cdf(9, 40, 0.5), stats.binom.cdf(10, 40, 0.5)) == pytest.approx((0.000341, 0.001111), rel=1e-2)
    assert _asked(9, 40).starved and not _asked(10, 40).starved
    # None of 19 is not enough to go by, and exactly half never is.
    assert not _asked(0, 19, strata=1).starved and _asked(0, 20, strata=1).starved
    assert not _asked(5000, 10000).starved


def test_half_usable_and_more_is_seldom_given_up() -> None:
    # The limit is looked at again and again, so at exactly half it fails more often than 1 in 1,000; from 0.6 on hardly
    # ever.
    rng = np.random.default_rng(6)
    ever = []
    for share in (0.5, 0.6):
        usable_b = np.cumsum(rng.random((1000, 2000)) < share, axis=1)[:, 7::8]
        n_b = 8 * np.arange(1, usable_b.shape[1] + 1)
        ever.append(float(((stats.binom.cdf(usable_b, n_b, 0.5) < 0.001) & (n_b >= 20)).any(axis=1).mean()))
    assert ever[0] <= 0.03 and ever[1] <= 0.001


def test_a_spent_stratum_ends_its_arm_but_not_before_it_is_needed() -> None:
    track = Track(2, 0.01)
    for x in (None, 0, None, 0):
        track.add(0, x)
    # Stratum 0 was asked 4 times and is two blocks ahead of stratum 1: the next blocks need none of it.
    assert not track.spent(4) and track.wanted(3, 4) == [1, 1, 1]
    track.add(1, 0)
    track.add(1, 0)
    assert track.blocks == 2 and track.spent(4) and not track.spent(5)
    assert decide([track], SearchPlan(material=0.01, max_requests=4)).spent == (0,)


def test_against_another_rate_is_a_track_kept_for_it() -> None:
    blocks = [0, 1, 0, 0, 2, 0, 0]
    moved, made = _track(blocks), _track(blocks, material=0.004)
    moved.against(0.004)
    for name in ("material", "blocks", "events", "events_b", "log_over", "log_under", "max_over", "max_under", "n"):
        assert getattr(moved, name) == getattr(made, name), name
    moved.add(0, 1)
    made.add(0, 1)
    # There and back again.
    moved.against(0.01)
    assert moved.max_over == _track(blocks).max_over and moved.usable_q == made.usable_q
    empty = Track(2, 0.01)
    empty.against(0.5)
    assert (empty.max_over, empty.max_under, empty.blocks) == (0.0, 0.0, 0)
    for rate in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            moved.against(rate)
    assert moved.material == 0.01


def test_against_a_share_of_the_rate_asks_more_of_over_and_less_of_under() -> None:
    track = _track([1, 0, 0, 0, 0, 0])
    over, under = track.max_over, track.max_under
    track.against(0.008)
    assert track.max_over > over and track.max_under <= under


def test_unusable_outcomes_delay_and_no_more() -> None:
    found, tracks = _search(np.random.default_rng(1), np.zeros((2, 8)), PLAN, usable=0.7)
    assert found.verdict == "all_under" and all(42 <= t.blocks <= 50 and sum(t.requested_q) > 440 for t in tracks)


def test_same_outcomes_same_answer_whatever_the_order_between_strata() -> None:
    a, b = Track(2, 0.01), Track(2, 0.01)
    for q, x in ((0, 1), (0, 0), (1, 0), (1, 1)):
        a.add(q, x)
    for q, x in ((1, 0), (0, 1), (1, 1), (0, 0)):
        b.add(q, x)
    assert decide([a], PLAN) == decide([b], PLAN)


@pytest.mark.parametrize(("rate", "gives_up"), [(0.0, False), (0.005, True), (0.009, True)])
def test_a_search_without_a_chance_is_given_up_and_a_clean_one_never(rate: float, gives_up: bool) -> None:
    rng = np.random.default_rng(5)
    tracks, answers = [Track(8, 0.01) for _ in range(20)], 0
    while (found := decide(tracks, SearchPlan(material=0.01))).verdict is None:
        for c, q in found.batch:
            tracks[c].add(q, int(rng.random() < rate))
        answers += len(found.batch)
    assert found.hopeless == gives_up
    assert (found.verdict, answers < 16_000) == ("undecided" if gives_up else "all_under", True)
    on = decide(tracks, SearchPlan(material=0.01, hopeless=0.0))
    assert (on.verdict is None) == gives_up and bool(on.batch) == gives_up


def test_malformed_is_an_error() -> None:
    for call in (
        lambda: SearchPlan(material=0.0),
        lambda: SearchPlan(material=0.1, alpha_over=1.0),
        lambda: SearchPlan(material=0.1, width=0),
        lambda: SearchPlan(material=0.1, ahead=-0.1),
        lambda: SearchPlan(material=0.1, max_requests=0),
        lambda: Track(0, 0.1),
        lambda: Track(1, 1.0),
        lambda: Track(1, 0.1).add(0, 3),
        lambda: decide([], PLAN),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            call()


def test_finds_one_of_twenty_for_few_outcomes() -> None:
    spent = []
    for seed in range(40):
        p_cq = np.zeros((20, 8))
        p_cq[1 + seed % 19] = 0.2
        found, tracks = _search(np.random.default_rng(seed), p_cq, PLAN)
        assert found.verdict == "others_over" and found.over == (1 + seed % 19,)
        spent.append(sum(t.n for t in tracks))
    assert np.median(spent) <= 16000 / 30


@pytest.mark.slow
def test_false_alarms_with_heavy_spread() -> None:
    # 20 arms, all at 0.9% with one stratum in eight holding all of it: at most 5% of searches may call anything over
    # 1%.
    plan = SearchPlan(material=0.01, max_requests=40, width=4)
    p_cq = np.tile([0.072] + [0.0] * 7, (20, 1))
    alarms = sum(bool(_search(np.random.default_rng(seed), p_cq, plan)[0].over) for seed in range(60))
    assert alarms <= 5


def test_a_refused_stratum_does_not_blind_the_search() -> None:
    # Seven strata at a half, and one that never gives a usable outcome: it is asked no more than it takes to see that,
    # and the others show the arm.
    rng, tracks = np.random.default_rng(2), [Track(8, 0.01)]
    while (found := decide(tracks, PLAN)).verdict is None:
        for c, q in found.batch:
            tracks[c].add(q, None if q == 7 else int(rng.random() < 0.5))
    assert found.verdict == "control_over" and tracks[0].requested_q[7] <= PATIENCE
    # What is unknown of it counts as none where the arm is to be over, and as an event where it is to be under.
    assert tracks[0].most_events == tracks[0].events + tracks[0].blocks


def test_with_a_refused_stratum_an_arm_is_never_under() -> None:
    tracks = [Track(8, 0.01)]
    while (found := decide(tracks, PLAN)).verdict is None:
        for c, q in found.batch:
            tracks[c].add(q, None if q == 7 else 0)
    assert found.verdict == "undecided" and found.starved == (0,)
    assert sum(tracks[0].requested_q) <= 8 * PATIENCE + 8


def test_usable_outcomes_are_counted_by_first_requests_of_every_stratum() -> None:
    # The stratum that is refused was asked ten times as often, so that 88% of the strata's outcomes are usable and half
    # of all requests are not.
    track = Track(8, 0.01)
    for q in range(7):
        for _ in range(30):
            track.add(q, 0)
    for k in range(300):
        track.add(7, 0 if k % 8 == 0 else None)
    assert not track.starved
