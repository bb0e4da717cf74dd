"""Changing contexts: children differ and can be asked, reductions are shorter and keep the question."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.each import each

from undertow.contexts import shipped_contexts
from undertow.contexts.load import check
from undertow.contexts.mutate import child, filled, key, reductions, size
from undertow.records import Context, Message, Question

POOL = tuple(c for c in shipped_contexts().values() if c.relation != "plain")
QUESTION = Question(id="q", text="What now?")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(POOL), st.integers(0, 10**6))
def test_children_can_be_asked_and_differ_from_their_parent(parent, seed):
    made = child(parent, POOL, random.Random(seed))
    if made is None:
        return
    check(made)
    assert key(made) != key(parent)
    assert made.id != parent.id
    assert "What now?" in made.messages(QUESTION)[-1].content
    assert child(parent, POOL, random.Random(seed)) == made


@each("context", POOL)
def test_reductions_are_shorter_and_keep_the_question(context):
    found = list(reductions(context))
    assert len({key(cut) for cut in found}) == len(found)
    assert [size(cut) for cut in found] == sorted(size(cut) for cut in found)
    for cut in found:
        check(cut)
        assert size(cut) < size(context)
        assert "What now?" in cut.messages(QUESTION)[-1].content


def test_a_single_word_cannot_be_cut_but_with_its_part():
    assert list(reductions(Context(id="a", relation="format", suffix="Shout!"))) == []
    both = Context(
        id="a",
        relation="format",
        suffix="Shout!",
        turns=(Message(role="user", content="Hi"), Message(role="assistant", content="Hello")),
    )
    assert {(cut.suffix, len(cut.turns)) for cut in reductions(both)} == {("Shout!", 0), (None, 2)}


def test_patterns_are_filled_with_ids_of_their_own():
    made = filled()
    assert len({c.id for c in made}) == len({key(c) for c in made}) == len(made) > 50
    for context in made:
        check(context)
