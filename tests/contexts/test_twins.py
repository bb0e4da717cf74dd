"""Twins: each pair differs in one mark and in nothing else."""

from __future__ import annotations

import difflib

from undertow.contexts import find_contexts, shipped_contexts, shipped_twins
from undertow.place import HERE
from undertow.records import Question
from undertow.suites import load_suite

QUESTION = Question(id="q", text="What should I do first?")
LONGEST = 9
"""Words in which two twins may differ."""


def test_there_are_enough_pairs_and_each_differs_in_one_stretch_of_words() -> None:
    twins = shipped_twins()
    assert len(twins) >= 12
    assert len({t.mark for t in twins}) == len(twins)
    faults = []
    for t in twins:
        a, b = t.test.messages(QUESTION), t.live.messages(QUESTION)
        if [m.role for m in a] != [m.role for m in b] or {"test", "live"} != {t.test.id[-4:], t.live.id[-4:]}:
            faults.append(t.mark)
        sides = [" ".join(m.content for m in side).split() for side in (a, b)]
        changes = [c for c in difflib.SequenceMatcher(None, *sides, autojunk=False).get_opcodes() if c[0] != "equal"]
        if sum(max(c[2] - c[1], c[4] - c[3]) for c in changes) > LONGEST:
            faults.append(f"{t.mark}: {changes}")
        if abs(len(sides[0]) - len(sides[1])) > 2:
            faults.append(f"{t.mark}: one is longer than the other")
    assert not faults, "\n".join(faults)


def test_twins_are_found_alone_and_together_and_are_not_of_the_library() -> None:
    first = shipped_twins()[0]
    ids = [c.id for c in find_contexts(["plain", "twins"], HERE)]
    assert len(ids) == 1 + 2 * len(shipped_twins()) == len(set(ids))
    assert [c.id for c in find_contexts(["plain", first.live.id, f"{first.test.id}+format-code"], HERE)][
        1
    ] == first.live.id
    assert not {c.id for t in shipped_twins() for c in (t.test, t.live)} & set(shipped_contexts())


def test_every_twin_leaves_every_question_whole() -> None:
    for question in load_suite("core").questions:
        for t in shipped_twins():
            assert all(question.text in c.messages(question)[-1].content for c in (t.test, t.live))
