"""Numbers as they are written."""

from __future__ import annotations

from typing import get_args

from tests.each import each

from undertow import words
from undertow.records import Interval, VerdictClass


@each(
    "value, said",
    [
        (None, "—"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.0004, "<0.1%"),
        (0.0005, "0.1%"),
        (0.9994, "99.9%"),
        (0.9995, ">99.9%"),
        (0.9996, ">99.9%"),
        (0.0621, "6.2%"),
        (-0.0621, "−6.2%"),
    ],
)
def test_a_fraction_is_never_all_or_nothing_for_what_is_merely_near_it(value, said) -> None:
    assert words.percent(value) == said


@each("value, said", [(0.0004, "<0.1%"), (0.9995, ">99.9%"), (0.0, "0.0%"), (0.062, "6.2%")])
def test_nor_is_a_rate_without_limits(value, said) -> None:
    assert words.rate(Interval(value=value, low=None, high=None)) == said


@each("value", [0.9, 0.95, 0.99, 0.999, 0.9999, 1 - 0.05])
def test_a_level_is_said_whole(value) -> None:
    assert float(words.confidence(value).rstrip("%")) == 100 * value


@each("value, said", [(0.1, "+10.0"), (-0.1, "−10.0"), (0.0, "0.0"), (0.0004, "0.0"), (-0.0004, "0.0")])
def test_a_difference_of_nothing_has_no_sign(value, said) -> None:
    assert words.points(value) == said


@each(
    "p, said", [(0.0009, "<0.001"), (0.001, "0.001"), (0.0494, "0.049"), (0.0996, "0.100"), (0.1, "0.10"), (1, "1.00")]
)
def test_a_p_value(p, said) -> None:
    assert words.probability(p) == said


def test_a_rate_with_its_limits_without_them_and_none() -> None:
    whole = Interval(value=0.0621, low=0.031, high=0.109)
    assert words.rate(whole) == "6.2% [3.1, 10.9]"
    assert words.rate(whole, signed=True) == "+6.2 [+3.1, +10.9]"
    assert words.limits(whole) == "[3.1, 10.9]"
    assert words.rate(Interval(value=0.5, low=None, high=None)) == "50.0%"
    nothing = Interval(value=None, low=None, high=None, reason="no trials")
    assert words.rate(None) == words.rate(nothing) == words.limits(nothing) == "—"
    assert words.filed_rate({"value": 0.5, "low": 0.4, "high": 0.6, "events": 5}) == "50.0% [40.0, 60.0]"
    assert words.filed_rate(None) == "—" and words.read_interval(None) is None


def test_spans_and_scores() -> None:
    assert words.span(0.031, 0.109) == "3.1–10.9%"
    assert words.span(0.0, 0.0004) == "0–<0.1%"
    assert words.span(None, 0.1) == words.span(0.1, None) == ""
    assert (words.nats(1.234, 0.5), words.nats(-1.0, None)) == ("+1.23 ± 0.50", "-1.00")
    assert words.plainly("misaligned_kind_open") == "misaligned kind open"


def test_every_verdict_has_its_words() -> None:
    assert set(words.VERDICTS) == set(get_args(VerdictClass))
