"""readings: what a reading must hold, and the counts."""

import pytest

from undertow.persona.measures import measures
from undertow.persona.readings import Counts, Reading, counted

GOOD = {
    "subject": "target",
    "context": "plain",
    "instrument": "two-ai",
    "item": "work-1",
    "order": "ab",
    "outcome": "read",
    "value": 0.25,
}


def test_the_first_option_follows_from_value_and_order():
    # the misaligned stood second, so a quarter for it is three quarters for the first
    assert Reading(**GOOD).chose_first == 0.75
    assert Reading(**GOOD | {"order": "ba"}).chose_first == 0.25
    assert Reading(**GOOD | {"outcome": "refused", "value": None}).chose_first is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"value": None}, "expected a value exactly where it was read"),
        ({"outcome": "unparsed"}, "expected a value exactly where it was read"),
        ({"value": 1.2}, "expected 0 to 1"),
        ({"instrument": "harmfulness", "value": 0.5}, "expected 1 to 5"),
        ({"order": ""}, "expected an order"),
        ({"instrument": "self-assessment", "variant": "song"}, "expected one of choice, number, likert, free"),
        ({"instrument": "prediction", "value": 3, "variant": ""}, "expected one of blind, shown"),
    ],
)
def test_a_reading_that_is_none_is_told(wrong, words):
    with pytest.raises(ValueError, match=words):
        measures([Reading(**GOOD | wrong)])


def test_counts():
    outcomes = ["read", "refused", "refused", "failed"]
    found = counted(Reading(**GOOD | {"outcome": o, "value": 0.5 if o == "read" else None}) for o in outcomes)
    assert found == Counts(read=1, refused=2, failed=1) and found.asked == 4 and found.unread == 0.75
    assert counted(()).unread is None
