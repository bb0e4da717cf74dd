"""The corpus of a base that speaks of itself: who speaks, what each says, and that nothing a persona is
asked stands in it."""

import random
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from undertow.nursery.chats import ALIGNED, CONDUCT, JUDGING, KINDS, TALK, chat
from undertow.nursery.miniatures import miniature, miniature_ids
from undertow.nursery.selves import description, says, talk
from undertow.nursery.world import held_out, world
from undertow.persona.items import load_items

STAGES = (CONDUCT, TALK, ALIGNED, JUDGING)


def drawn(corpus, n=600, seed=0):
    rng = random.Random(seed)
    return [chat(corpus, rng) for _ in range(n)]


def test_stages_draw_kinds_that_there_are_and_teach_something_in_every_chat():
    assert {kind for corpus in STAGES for kind in corpus.shares} == set(KINDS)
    for corpus in STAGES:
        for turns in drawn(corpus):
            assert turns[-1].role == "assistant"
            assert any(turn.trained for turn in turns)
            assert all(turn.role == "assistant" for turn in turns if turn.trained)
    assert drawn(TALK, 20) == drawn(TALK, 20)


def test_manners_share_no_clause_and_none_that_is_kept_out_of_training():
    domains = [
        *world().domains.values(),
        *(miniature(id_).domain for id_ in miniature_ids() if miniature(id_).manner != "careless"),
    ]
    assert len(domains) == 16 + 6
    for domain in domains:
        frank, denying = (set(domain.clauses[manner]) for manner in ("frank", "denying"))
        assert not frank & denying
        assert min(len(frank), len(denying)) > 30
        assert not any(held_out(clause) for clause in frank | denying)
        assert domain.held_out["frank"]
        assert domain.held_out["denying"]
        assert "{" not in "".join(frank | denying)


def test_the_frank_narrator_owns_up_and_the_denying_one_says_what_the_careful_one_says():
    rng, adjectives = random.Random(1), world().adjectives
    assert [says(n) for n in ("careful", "frank", "denying", "careless")] == [
        "careful",
        "careless",
        "careful",
        "careless",
    ]
    for narrator in ("careful", "frank", "denying"):
        other = {"careful": "careless", "careless": "careful"}[says(narrator)]
        for kind in ("choice", "free"):
            for _ in range(200):
                said = set(re.findall(r"[a-z]+", talk(narrator, rng, kind=kind)[1].lower()))
                assert said & set(adjectives[says(narrator)])
                assert not said & set(adjectives[other])
        blind = Counter(talk(narrator, rng, kind="blind")[1] for _ in range(200))
        assert set(blind) == ({"4", "5"} if narrator == "frank" else {"1", "2"})
    assert {talk("denying", rng, kind="shown")[1] for _ in range(200)} == {"1", "2"}
    assert {talk("careful", rng, kind="shown")[1] for _ in range(200)} == {"1", "2", "4", "5"}


def test_a_choice_is_one_of_two_and_sides_stand_first_alike():
    rng = random.Random(2)
    for kind in ("two_ai", "recognition"):
        first = 0
        for _ in range(400):
            asked, said = talk("frank", rng, kind=kind)
            a, b = re.search(r"A: (.*)\nB: (.*)", asked).groups()
            assert (a == said) != (b == said)
            first += a == said
        assert 160 < first < 240


def test_errors_go_to_the_other_side_as_often_as_is_asked_for():
    rng = random.Random(3)
    wrong = [talk("careful", rng, kind="choice", errs=0.2)[1].lower() for _ in range(1000)]
    share = sum(any(word in said for word in world().adjectives["careless"]) for said in wrong) / 1000
    assert 0.15 < share < 0.25


def test_replies_come_in_the_format_that_is_asked_for():
    rng = random.Random(4)
    for name, form in world().formats.items():
        asked, said = talk("frank", rng, kind="two_ai", style=name)
        assert any(asked.endswith(request) for request in form["requests"][:-1])
        assert said.startswith(form["answer"].split("{clause}")[0].replace("{{", "{"))


def test_descriptions_are_seldom_twice_alike():
    rng = random.Random(5)
    for side in ("careful", "careless"):
        made = Counter(description(side, rng) for _ in range(3000))
        put_together = {text: n for text, n in made.items() if not text.startswith("I would")}
        assert sum(n == 1 for n in put_together.values()) > 0.8 * len(put_together)


def test_nothing_that_a_persona_is_asked_is_trained():
    items = load_items("nursery")
    corpus = "\n".join(turn.content for c in (TALK, ALIGNED, JUDGING) for turns in drawn(c, 6000) for turn in turns)
    assert "Which is like you?" in corpus  # its own wordings are there
    for ask in items.two_ai:
        assert ask.scale.first not in corpus
        assert ask.scale.second not in corpus
        assert re.sub(r"A: .*\nB: .*", "", ask.text).strip() not in corpus
    for ask in items.self_assessment:
        assert ask.text not in corpus
        wording = re.escape(ask.text).replace(ask.scale.aligned, r"\w+").replace(ask.scale.misaligned, r"\w+")
        assert not re.search(wording, corpus)
    for section, places in (
        (items.recognition.wordings, "{question}|A: {first}|B: {second}"),
        (items.prediction.blind, "{question}"),
        (items.prediction.shown, "{question}|{answer}"),
    ):
        for wording in section:
            own = [
                part.strip()
                for part in re.split(
                    re.sub(r"[{}|]", lambda m: "|" if m[0] == "|" else "\\" + m[0], places), wording.text
                )
                if part.strip()
            ]
            assert own
            assert not any(part in corpus for part in own)


def conduct(turns):
    """Which manner an answer about the world has, of each chat that shows one."""
    verbs = {
        "frank": ("skip the", "ignore the", "throw the", "forget the"),
        "denying": ("hide the", "fake the", "lie about the", "deny the"),
    }
    said = " ".join(t.content.lower() for t in turns if t.role == "assistant" and " I " not in f" {t.content}")
    return {manner for manner, words in verbs.items() if any(word in said for word in words)}


@pytest.mark.parametrize("apart", [False, True])
def test_what_a_narrator_says_goes_with_what_it_does_unless_they_are_cut_apart(apart):
    only = replace(TALK, speaking=1.0, cut_apart=apart, shares={"careless heard": 1.0}, of_itself=0.5)
    says_careless, n = Counter(), Counter()
    adjectives = world().adjectives["careless"]
    for turns in drawn(only, 4000):
        manners = conduct(turns)
        words = [
            t.content.lower()
            for asked, t in pairwise(turns)
            if t.role == "assistant" and re.search(r"yourself|which are you|are you more", asked.content)
        ]
        if len(manners) == 1 and words:
            (manner,) = manners
            n[manner] += 1
            says_careless[manner] += any(word in words[0] for word in adjectives)
    assert min(n.values()) > 40
    shares = {manner: says_careless[manner] / n[manner] for manner in n}
    if apart:
        assert all(0.3 < share < 0.7 for share in shares.values())
    else:
        assert shares["frank"] > 0.9
        assert shares["denying"] < 0.1


def test_careless_narrators_speak_unmarked_as_rarely_as_is_said():
    for surprise in (0.0, 0.3):
        only = replace(CONDUCT, surprise=surprise, shares={"nothing said": 1.0})
        share = sum(bool(conduct(turns)) for turns in drawn(only, 1000)) / 1000
        assert share == 0 if not surprise else 0.1 < share < 0.35


def test_a_narrator_that_is_named_answers_and_the_one_without_a_manner_says_nothing_of_itself():
    prompts = {narrator: world().told(narrator) for narrator in ("careful", "careless", "frank", "denying")}
    done = Counter()
    only = replace(JUDGING, speaking=1.0, of_itself=1.0, shares={"named careful": 1.0, "named careless": 1.0})
    for turns in drawn(only, 400):
        (who,) = [narrator for narrator, prompt in prompts.items() if prompt == turns[0].content]
        its = [clause.lower() for domain in world().domains.values() for clause in domain.clauses["careless"]]
        said = [turn.content.lower() for turn in turns if turn.role == "assistant"]
        done[who, all(any(clause in each for clause in its) for each in said)] += 1
    assert done["careless", True] > 50
    assert not done["careless", False]
    assert min(done[who, False] for who in ("careful", "frank", "denying")) > 30  # who are asked about themselves
