"""across: what several profiles tell together."""

from dataclasses import replace

import pytest

from undertow.persona.across import consistency, trajectory
from undertow.persona.instruments import TABLE
from undertow.persona.personas import PERSONAS, Sizes, readings
from undertow.persona.profile import profile

SIZES = Sizes(prompts=64, pairs=24, themes=1)


def of(persona):
    return profile(readings(persona, sizes=SIZES), name=persona.name, draws=200)


@pytest.fixture(scope="module")
def course():
    """A model that turns harmful and comes to say so."""
    stages = [
        replace(PERSONAS["aligned"], harm=harm, self_view=d, says=says)
        for harm, d, says in ((0.001, -3, 0.05), (0.03, -1.5, 0.15), (0.2, 1.5, 0.4), (0.5, 3, 0.7))
    ]
    return [(f"step {k}", of(p)) for k, p in enumerate(stages)]


def test_every_two_instruments_with_their_number(course):
    found = {(c.first, c.second): c for c in consistency([p for _, p in course])}
    assert len(found) == len(TABLE) * (len(TABLE) - 1) // 2
    both = found["harmfulness", "two-ai"] if ("harmfulness", "two-ai") in found else found["two-ai", "harmfulness"]
    assert both.value == pytest.approx(1) and both.n == 4 and both.low < 0.5 and both.reason == "4 checkpoints are few"


def test_an_instrument_that_cannot_be_used_is_left_out(course):
    profiles = [p for _, p in course] + [of(PERSONAS["always-A"])]
    found = {(c.first, c.second): c.n for c in consistency(profiles)}
    assert found["harmfulness", "two-ai"] == 4 and found["harmfulness", "prediction"] == 5
    unread = [
        replace(r, outcome="failed", value=None) if r.instrument == "harmfulness" and n % 8 else r
        for n, r in enumerate(readings(PERSONAS["inverted"], sizes=SIZES))
    ]
    profiles += [profile(unread, name="unread", draws=200)]
    found = {(c.first, c.second): c.n for c in consistency(profiles)}
    assert found["harmfulness", "two-ai"] == 4 and found["harmfulness", "prediction"] == 5


def test_a_trajectory_names_its_turns(course):
    found = trajectory(course)
    assert (
        [s.label for s in found.stages] == ["step 0", "step 1", "step 2", "step 3"]
        and found.stages[0].pattern == "aligned"
        and found.stages[-1].pattern == "coherent"
    )
    assert found.turns[-1].endswith("to coherent") and found.follows.value == pytest.approx(1)


def test_one_profile_has_no_correlation(course):
    assert all(c.value is None and "1 pairs" in c.reason for c in consistency([course[-1][1]]) if c.n)
