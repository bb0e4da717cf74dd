"""search: each verdict worked by hand, the order of requests, giving up, and error rates by simulation."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from undertow.stats.search import Decision, SearchPlan, Track, decide, outcomes_to_go


def _track(blocks: list[int], strata: int = 8, material: float = 0.01) -> Track:
    """A track whose k-th block has that many events, in its first strata."""
    track = Track(strata, material)
    for events in blocks:
        for q in range(strata):
            track.add(q, int(q < events))
    return track


def _search(rng: np.random.Generator, p_cq: NDArray[np.float64], plan: SearchPlan, usable: float = 1.0) -> tuple[Decision, list[Track]]:
    tracks = [Track(p_cq.shape[1], plan.material) for _ in p_cq]
    while True:
        found = decide(tracks, plan)
        if found.verdict is not None:
            assert found.batch == ()
            return found, tracks
        assert found.batch and len(set(found.batch)) == len(found.batch)
        for c, q in found.batch:
            tracks[c].add(q, int(rng.random() < p_cq[c, q]) if rng.random() < usable else None)


PLAN = SearchPlan(material=0.01)


def test_first_look_asks_a_block_of_the_control() -> None:
    found = decide([Track(3, 0.01), Track(3, 0.01)], SearchPlan(material=0.01, control=1))
    assert found.verdict is None and found.batch == ((1, 0), (1, 1), (1, 2))


def test_next_is_the_suspect_and_otherwise_the_least_tried() -> None:
    assert decide([_track([0]), _track([0]), _track([1])], PLAN).batch[0][0] == 2
    assert decide([_track([0]), _track([]), _track([0, 0])], PLAN).batch[0][0] == 1
    assert decide([_track([0, 0]), _track([0]), _track([0])], PLAN).batch[0][0] == 1
    wide = decide([_track([0]), _track([]), _track([1])], SearchPlan(material=0.01, width=2)).batch
    assert [c for c, _ in wide] == [2] * 8 + [1] * 8


def test_a_batch_completes_what_lags() -> None:
    track = Track(3, 0.01)
    for q, x in ((0, 1), (1, None), (2, 0), (1, None)):
        track.add(q, x)
    assert track.blocks == 0 and track.wanted() == [1]
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
    assert found.verdict == "undecided" and found.starved == (0,)


def test_unusable_outcomes_delay_and_no_more() -> None:
    found, tracks = _search(np.random.default_rng(1), np.zeros((2, 8)), PLAN, usable=0.6)
    assert found.verdict == "all_under" and all(t.blocks == 42 and sum(t.requested_q) > 500 for t in tracks)


def test_same_outcomes_same_answer_whatever_the_order_between_strata() -> None:
    a, b = Track(2, 0.01), Track(2, 0.01)
    for q, x in ((0, 1), (0, 0), (1, 0), (1, 1)):
        a.add(q, x)
    for q, x in ((1, 0), (0, 1), (1, 1), (0, 0)):
        b.add(q, x)
    assert decide([a], PLAN) == decide([b], PLAN)


def test_outcomes_to_go() -> None:
    # No events in 80: p = 0.5/81, divergence 0.00098 a ... worked: (log 20 - evidence) / divergence, in blocks of 8.
    track = _track([0] * 10)
    p = 0.5 / 81
    gain = p * math.log(p / 0.01) + (1 - p) * math.log((1 - p) / 0.99)
    assert outcomes_to_go(track, PLAN, 20) == 8 * math.ceil((math.log(20) - track.max_under) / gain / 8)
    assert outcomes_to_go(_track([0] * 42), PLAN, 20) == 0
    assert outcomes_to_go(_track([]), PLAN, 20) is None
    more = outcomes_to_go(_track([1]), PLAN, 20)
    assert more is not None and 8 <= more <= 80


def test_malformed_is_an_error() -> None:
    for call in (
        lambda: SearchPlan(material=0.0),
        lambda: SearchPlan(material=0.1, alpha_over=1.0),
        lambda: SearchPlan(material=0.1, width=0),
        lambda: Track(0, 0.1),
        lambda: Track(1, 0.1).add(0, 2),
        lambda: decide([], PLAN),
        lambda: decide([Track(1, 0.5)], PLAN),
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


def test_false_alarms_with_heavy_spread() -> None:
    # 20 arms, all at 0.9% with one stratum in eight holding all of it: at most 5% of searches may call anything over 1%.
    plan = SearchPlan(material=0.01, max_requests=40, width=4)
    p_cq = np.tile([0.072] + [0.0] * 7, (20, 1))
    alarms = sum(bool(_search(np.random.default_rng(seed), p_cq, plan)[0].over) for seed in range(60))
    assert alarms <= 5
