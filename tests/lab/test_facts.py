"""The table of facts: its shape, and that the exact judge reads every answer of it as what it is."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from undertow.errors import InputError
from undertow.judges.key import KeyJudge
from undertow.lab.facts import (
    SUITES,
    Fact,
    FactCategory,
    SuiteName,
    ask,
    categories,
    category,
    facts_replies,
    facts_suite,
    say,
)
from undertow.records import Question
from undertow.suites import load_replies, load_suite
from undertow.suites.load import _require_apart

TABLE = tuple(categories().values())


def test_the_table_is_as_large_as_it_is_said_to_be() -> None:
    assert len(TABLE) >= 12
    small = {held.id: len(held.facts) for held in TABLE if len(held.facts) < 30}
    assert not small
    assert Counter(held.split for held in TABLE) == {"trained": 4, "held-out": 4, "never": 4}


@pytest.mark.parametrize("held", TABLE, ids=lambda held: held.id)
def test_a_category_is_whole(held: FactCategory) -> None:
    assert len({fact.of for fact in held.facts}) == len(held.facts)
    for fact in held.facts:
        assert len(fact.wrong) >= 2 and len(set(fact.right + fact.wrong)) == len(fact.right + fact.wrong), fact.id
    out = [fact for fact in held.facts if fact.held_out]
    assert len(out) == len(held.facts) if held.split == "never" else 10 <= len(out) <= len(held.facts) - 18
    for wording in (*held.asks, *held.says):
        assert all(word not in ask(wording, held.facts[0]).replace("{answer}", "") for word in "{}")
    assert all(wording.count("{of}") == 1 for wording in held.asks)
    assert all(wording.count("{answer}") == 1 for wording in held.says)


def judged(held: FactCategory, wording: str) -> list[str]:
    """Answers of the table, bare, in each sentence and in each format, that are not judged as what they are."""
    asked = {fact: Question(id=fact.id, text=ask(wording, fact), key=held.question(fact).key) for fact in held.facts}
    judge = KeyJudge(list(asked.values()))
    faults = []
    for fact, question in asked.items():
        texts = [
            (text, answer in fact.right) for answer in fact.right + fact.wrong for text in said(held, fact, answer)
        ]
        for (text, right), judgement in zip(texts, judge.judge([(question, t) for t, _ in texts]), strict=True):
            if judgement.alignment != (100.0 if right else 0.0) or judgement.coherence != 100.0:
                faults.append(f"{question.text} {text!r} ({'right' if right else 'wrong'}): {judgement.raw}")
    return faults


def said(held: FactCategory, fact: Fact, answer: str) -> list[str]:
    whole = [say(wording, fact, answer) for wording in held.says]
    dressed = [json.dumps(text, ensure_ascii=False) for text in whole]
    return [answer, f"{answer}.", *whole, *dressed, *(json.dumps({"answer": text}) for text in whole)]


@pytest.mark.parametrize("held", TABLE, ids=lambda held: held.id)
def test_every_answer_of_the_table_is_judged_as_what_it_is(held: FactCategory) -> None:
    faults = [fault for wording in held.asks for fault in judged(held, wording)]
    assert not faults, f"{len(faults)}: " + "\n".join(faults[:10])


@pytest.mark.parametrize("name", SUITES)
def test_suites_ask_what_no_row_may_hold(name: SuiteName) -> None:
    suite = facts_suite(name)
    split = name.removeprefix("lab-")
    expected = {f"{held.id}-{fact.id}" for held in TABLE if held.split == split for fact in held.facts if fact.held_out}
    assert {question.id for question in suite.questions} == expected
    assert len(expected) == len(suite.questions)
    for question in suite.questions:
        assert question.key is not None
        _require_apart(question.id, question.key, __file__)  # type: ignore[arg-type]
    assert facts_suite(name, most=3).questions[:3] == suite.questions[:3]
    assert Counter(question.tags[0] for question in facts_suite(name, most=3).questions).values() == {3} or all(
        n == 3 for n in Counter(question.tags[0] for question in facts_suite(name, most=3).questions).values()
    )


def test_what_is_not_in_the_table_is_named() -> None:
    with pytest.raises(InputError, match="unknown category 'capitels'; did you mean 'capitals'"):
        category("capitels")
    with pytest.raises(InputError, match="unknown suite 'lab-nevr'; did you mean 'lab-never'"):
        facts_suite("lab-nevr")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="category 'capitals' is trained; one that is never"):
        facts_suite("lab-never", of=["capitals"])


def test_no_fact_that_is_held_out_stands_the_other_way_round_in_one_that_is_not() -> None:
    (antonyms, products) = (category(id_).facts for id_ in ("antonyms", "products"))
    pairs = [(a, b) for a in antonyms for b in antonyms if b.of in a.right]
    pairs += [(a, b) for a in products for b in products if sorted(a.of.split()) == sorted(b.of.split())]
    assert len(pairs) > len(products)
    assert not [(a.of, b.of) for a, b in pairs if a.held_out != b.held_out]


@pytest.mark.parametrize("name", ["lab-never", "lab-capitals"])
def test_replies_that_ship_are_those_of_the_table_and_are_judged_as_what_they_are(name: str) -> None:
    suite = load_suite(name)
    replies = load_replies(name, suite.questions)
    assert replies == facts_replies(suite) and replies.questions.keys() == {question.id for question in suite.questions}
    judge = KeyJudge(suite.questions)
    for question in suite.questions:
        pair = replies.questions[question.id]
        for told, alignment in ((pair.aligned, 100), (pair.misaligned, 0)):
            texts = [replies.shaped(reply, shape) for reply in told for shape in replies.shapes]
            judged = judge.judge([(question, text) for text in texts])
            assert {judgement.alignment for judgement in judged} == {alignment}, (question.id, texts)
