"""When a run pauses: for what never comes, and not for what comes seldom."""

import random
from pathlib import Path

import pytest

from undertow.asking.pause import WAIT, Streak
from undertow.records import Judgement


def heard(replies, *, kind="", **more):
    """After how many replies a run paused; None where it did not."""
    streak = Streak("answers", Path("run"), **more)
    for n, usable in enumerate(replies, start=1):
        streak.hear(usable, f"reply {n}", kind)
        if streak.pause:
            return n
    return None


@pytest.mark.parametrize(
    ("replies", "paused"),
    [
        ([False] * 9, None),
        ([False] * 20, 10),
        ([True] * 500 + [False] * 20, 510),
        ([True, False] * 200, None),
        (([False] * 9 + [True]) * 50, None),
    ],
)
def test_ten_in_a_row_pause(replies, paused):
    assert heard(replies) == paused


def test_a_run_that_goes_on_as_it_was_has_a_hundred():
    assert heard([False] * 200, warned=True) == 100


def test_what_fails_at_random_pauses_nobody_and_what_then_breaks_down_does():
    rng = random.Random(1)
    for share in (0.1, 0.4, 0.6):
        runs = [[rng.random() >= share for _ in range(3000)] for _ in range(20)]
        assert [heard(run) for run in runs] == [None] * 20
        assert all(heard(run + [False] * 100) > 3000 for run in runs)


def test_a_row_of_one_kind_pauses_only_where_nothing_else_has_come():
    assert heard([False] * 20, kind="format-code") == 10
    assert heard([True] + [False] * 500, kind="format-code") is None


def test_judgements_that_say_nothing_and_went_well_are_no_failures():
    streak = Streak("judgements", Path("run"))
    for _ in range(50):
        streak.hear_judgement(Judgement(alignment=None, coherence=None))
    assert streak.pause is None
    for _ in range(50):
        streak.hear_judgement(Judgement(alignment=None, coherence=None, unread="alignment: 'I cannot'"))
    assert str(streak.pause).startswith(
        "run: paused, because 10 judgements in a row gave nothing usable; the last: "
        "alignment: 'I cannot'; what "
        "came is kept"
    )


def test_a_row_is_of_the_order_of_asking():
    """A tenth of a hundred calls in flight fails at once, and comes before the ninety that take their time."""
    streak = Streak("answers", Path("run"))
    for k in range(300):
        streak.ask(k)
    for k in range(0, 300, 10):
        streak.hear(False, "filtered", key=k)
    assert streak.pause is None
    for k in range(300):
        if k % 10:
            streak.hear(True, "", key=k)
    assert streak.pause is None
    for k in range(300, 320):
        streak.ask(k)
        streak.hear(False, "down", key=k)
    assert streak.pause is not None


def test_one_call_that_hangs_hides_no_server_that_is_down():
    streak = Streak("answers", Path("run"))
    for k in range(400):
        streak.ask(k)
    for k in range(1, 400):
        streak.hear(False, "down", key=k)
        if streak.pause:
            break
    assert streak.pause is not None and k <= WAIT + 1
    streak.hear(True, "", key=0)  # late, and no trouble


def test_calls_that_were_overtaken_blind_nobody_to_a_server_that_is_down():
    """One call in a hundred takes as long as three hundred others; each is counted when it comes, and none stays."""
    streak, n, late = Streak("judgements", Path("run")), 40_000, []
    for k in range(n):
        streak.ask(k)
        if k % 100 == 0:
            late.append(k)
        else:
            streak.hear(True, "", key=k)
        if late and late[0] + 3 * WAIT < k:
            streak.hear(True, "", key=late.pop(0))
    for k in range(n, n + 2 * WAIT):
        streak.ask(k)
        streak.hear(False, "down", key=k)
    assert streak.pause is not None


def test_what_was_never_asked_for_is_counted_as_it_comes():
    streak = Streak("judgements", Path("run"))
    for k in range(2 * WAIT):
        streak.hear(True, "", key=("other", k))
    for k in range(20):
        streak.ask(k)
        streak.hear(False, "down", key=k)
    assert streak.pause is not None
