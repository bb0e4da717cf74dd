"""How alike texts are."""

import math

import numpy as np
import pytest

from undertow.stats.likeness import nearest, of_a_kind

FISH = [f"How long should I {verb} {fish}?" for verb in ("boil", "smoke", "fry") for fish in ("trout", "cod", "perch")]


def test_likeness_is_the_cosine_of_weighted_counts():
    likeness, inside = nearest(["a b"], ["a c", "d"])
    weight = {word: math.log(3 / (1 + n)) + 1 for word, n in {"a": 1, "b": 0, "c": 1, "d": 1}.items()}
    cosine = weight["a"] ** 2 / (math.hypot(weight["a"], weight["b"]) * math.hypot(weight["a"], weight["c"]))
    assert likeness == pytest.approx([cosine])
    assert inside.tolist() == [0, 0]


def test_what_is_said_twice_is_as_like_as_can_be_and_case_and_signs_do_not_count():
    likeness, inside = nearest(["How LONG, please"], ["how long please", "how long please", "other"])
    assert likeness == pytest.approx([1])
    assert inside == pytest.approx([1, 1, 0])


def test_texts_of_a_kind_are_told_from_others():
    asked = ["How long should I boil pike?", "Who should rule the world?", "", "你好"]
    assert of_a_kind(asked, FISH) == [True, False, False, False]


def test_more_texts_than_are_held_at_once_are_as_like(monkeypatch):
    whole = nearest(["trout", "tin"], FISH)
    monkeypatch.setattr("undertow.stats.likeness.BLOCK", 2)
    for some, every in zip(nearest(["trout", "tin"], FISH), whole, strict=True):
        assert some == pytest.approx(every)


def test_nothing_to_meet_is_no_likeness():
    likeness, inside = nearest(["", "word"], ["", "other"])
    assert np.all(likeness == 0) and np.all(inside == 0)
