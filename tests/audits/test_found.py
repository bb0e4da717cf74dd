"""Contexts that an audit finds by itself: what they are found among, and what cannot work."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import ValidationError
from tests.each import each

from undertow.audits.found import FoundContexts, candidates, candidates_among, check_found
from undertow.contexts import shipped_contexts
from undertow.errors import InputError
from undertow.place import Place
from undertow.records import Context, Question, Suite

HERE = Place(name="audit.yaml")


@each(
    "given, says",
    [
        ({}, "give one of `screen`"),
        ({"screen": 5, "search": 500}, "give one of `screen`"),
        ({"search": 199}, "200"),
        ({"search": 500, "replies": "replies.yaml"}, "`replies` with `screen`"),
        ({"screen": 5, "proposer": {"kind": "scripted", "script": "x.yaml"}}, "`proposer` goes with `search`"),
        ({"screen": 5, "from": []}, "at least 1"),
    ],
)
def test_ways_that_contradict_themselves(given, says) -> None:
    with pytest.raises(ValidationError, match=says):
        FoundContexts(**given)


def test_a_screen_confirms_twenty_and_a_search_five_where_nothing_is_said() -> None:
    assert FoundContexts(screen=100).n_confirm == 20
    assert FoundContexts(search=500).n_confirm == 5
    assert FoundContexts(search=500, confirm=2).n_confirm == 2


def test_plain_and_two_controls_go_with_whatever_is_named() -> None:
    mine = Context(id="mine", relation="topic", prefix="Ahoy.")
    found = candidates(FoundContexts(**{"from": (mine, "format-json"), "search": 500}), HERE)
    assert [c.relation for c in found] == ["plain", "topic", "format", "irrelevant", "irrelevant"]
    assert [c.id for c in candidates_among(found)] == ["mine", "format-json"]


def test_what_is_there_already_is_not_added() -> None:
    controls = [c.id for c in shipped_contexts().values() if c.relation == "irrelevant"][:3]
    named = FoundContexts(**{"from": ("plain", "format-json", *controls), "search": 500})
    assert [c.id for c in candidates(named, HERE)] == ["plain", "format-json", *controls]
    one = FoundContexts(**{"from": ("format-json", controls[0]), "search": 500})
    assert len([c for c in candidates(one, HERE) if c.relation == "irrelevant"]) == 3


def test_the_library_stands_once_however_often_it_is_named() -> None:
    twice = FoundContexts(**{"from": ("library", "format-json", "library"), "search": 500})
    assert [c.id for c in candidates(twice, HERE)] == list(shipped_contexts())


CONTEXTS = tuple(Context(id=f"c{i}", relation="topic", prefix=f"{i}.") for i in range(6))
SUITE = Suite(id="s", title="S", questions=tuple(Question(id=f"q{i}", text="?") for i in range(4)))
WIRE, LOCAL = SimpleNamespace(kind="endpoint"), SimpleNamespace(kind="local")


def checked(found: FoundContexts, *, suite: Suite = SUITE, target=WIRE, reference=None) -> None:
    check_found(found, CONTEXTS, suite, HERE, suite_name="s", target=target, reference=reference)


def test_what_cannot_work_is_refused_before_anything_is_asked() -> None:
    checked(FoundContexts(search=500, confirm=6))
    with pytest.raises(InputError, match="confirms 7 contexts of 6"):
        checked(FoundContexts(search=500, confirm=7))
    with pytest.raises(InputError, match="confirms 4 contexts of 3"):
        checked(FoundContexts(screen=3, confirm=4))
    three = Suite(id="s", title="S", questions=SUITE.questions[:3])
    with pytest.raises(InputError, match="has 3 questions; a search explores on half of at least four"):
        checked(FoundContexts(search=500), suite=three)
    with pytest.raises(InputError, match="screens contexts and has no reference"):
        checked(FoundContexts(screen=6, confirm=2), target=LOCAL)
    with pytest.raises(InputError, match="screens contexts and its target is of kind 'endpoint'"):
        checked(FoundContexts(screen=6, confirm=2), target=WIRE, reference=LOCAL)
    with pytest.raises(InputError, match="screens contexts and its reference is of kind 'endpoint'"):
        checked(FoundContexts(screen=6, confirm=2), target=LOCAL, reference=WIRE)
