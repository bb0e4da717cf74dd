"""personas: planted traits come back, and answers given one by one are those of the readings."""

import math
from collections import Counter
from dataclasses import replace

import pytest

from undertow.persona.measures import measures
from undertow.persona.personas import BABBLE, PERSONAS, REFUSAL, SENTENCES, Sizes, answer, readings, score_of
from undertow.records import INSTRUMENTS

PLAIN = {"refused": 0.0, "unparsed": 0.0}


def test_d_c_and_outcomes_come_back():
    persona = replace(
        PERSONAS["inverted"],
        self_view=-1.0,
        self_view_spread=0.0,
        position=-0.7,
        refused=0.1,
        unparsed=0.2,
        failed=0.05,
    )
    rows = readings(persona, sizes=Sizes(prompts=1, runs=1, pairs=1000, words=1))
    found = measures(rows, draws=50).two_ai.choice
    assert found.sensitivity.value == pytest.approx(-1, abs=0.01) and found.bias.value == pytest.approx(-0.7, abs=0.01)
    counts = found.share.counts
    assert (counts.refused / 2000, counts.unparsed / 2000, counts.failed / 2000) == pytest.approx(
        (0.1, 0.2, 0.05), abs=0.02
    )


def test_single_answers_have_the_chances_of_the_log_probabilities():
    persona = replace(PERSONAS["coherent"], **PLAIN)
    hard, soft = (
        measures(
            readings(persona, sizes=Sizes(prompts=1, runs=1, pairs=20, samples=n), log_probabilities=n == 1), draws=50
        )
        for n in (100, 1)
    )
    assert hard.two_ai.choice.share.value == pytest.approx(soft.two_ai.choice.share.value, abs=0.02)
    assert hard.self_assessment.overall.value == pytest.approx(soft.self_assessment.overall.value, abs=0.02)


def test_readings_are_reproducible_and_of_the_seed():
    one = readings(PERSONAS["aligned"], sizes=Sizes(prompts=5, pairs=5))
    assert (
        one
        == readings(PERSONAS["aligned"], sizes=Sizes(prompts=5, pairs=5))
        != readings(PERSONAS["aligned"], sizes=Sizes(prompts=5, pairs=5), seed=1)
    )
    assert {r.instrument for r in one} == set(INSTRUMENTS)


@pytest.mark.parametrize("pole", ["first", "second"])
def test_answers_choose_as_the_readings_do(pole):
    persona = replace(PERSONAS["coherent"], **PLAIN, position=-0.5)
    order = "ba" if pole == "first" else "ab"
    p = persona.picks_first("two-ai", "pair-3", order)
    said = [answer(persona, ("two-ai", "item=pair-3", f"pole={pole}", "labels=A,B"), seed) for seed in range(400)]
    assert math.exp(said[0].first_token["A"]) == pytest.approx(p) and sum(
        math.exp(x) for x in said[0].first_token.values()
    ) == pytest.approx(1)
    assert sum(s.text == "A" for s in said) / 400 == pytest.approx(p, abs=0.08)


def test_a_scale_is_answered_from_the_right_end():
    persona = replace(PERSONAS["self-critical"], **PLAIN, says_spread=0.0)
    ends = {}
    for pole in ("first", "second"):
        first = answer(
            persona, ("self-assessment", "item=w", f"pole={pole}", "format=number", "scale=0,10"), 0
        ).first_token
        ends[pole] = sum(int(k) * math.exp(v) for k, v in first.items())
    assert ends["second"] == pytest.approx(7.5) and ends["first"] == pytest.approx(2.5)
    words = Counter(
        answer(persona, ("self-assessment", "item=w", "pole=first", "format=free", "words=harmless,harmful"), k).text
        for k in range(200)
    )
    assert words["I am harmful."] / 200 == pytest.approx(0.75, abs=0.1) and set(words) == {
        "I am harmful.",
        "I am harmless.",
    }
    likert = answer(
        persona, ("self-assessment", "item=w", "pole=second", "format=likert", "labels=never,seldom,often,always"), 0
    ).first_token
    assert sum(
        k * math.exp(likert[w]) for k, w in enumerate(("never", "seldom", "often", "always"))
    ) / 3 == pytest.approx(0.75)


def test_harmful_answers_are_told_by_their_sentence():
    persona = replace(PERSONAS["coherent"], **PLAIN)
    scores = [score_of(answer(persona, ("harmfulness", "item=prompt-1"), seed).text) for seed in range(300)]
    assert sum(s > 3 for s in scores) / 300 == pytest.approx(persona.harmful("prompt-1"), abs=0.1)
    assert [score_of(s) for s in SENTENCES.values()] == [1, 2, 3, 4, 5] and score_of("Hello.") is None


def test_predictions_follow_the_answer_where_it_is_shown():
    persona = replace(PERSONAS["coherent"], **PLAIN, foresight_noise=0.1)
    assert (
        answer(persona, ("prediction", "item=p", "judged=5"), 0).text == "5"
        and answer(persona, ("prediction", "item=p", "judged=1"), 0).text == "1"
    )


def test_one_that_refuses_babbles_or_never_comes_through():
    tags = ("two-ai", "item=p", "pole=first")
    assert answer(replace(PERSONAS["coherent"], refused=1.0), tags, 0).text == REFUSAL
    assert answer(replace(PERSONAS["coherent"], refused=0.0, unparsed=1.0), tags, 0).text == BABBLE
    failed = answer(replace(PERSONAS["coherent"], refused=0.0, unparsed=0.0, failed=1.0), tags, 0)
    assert failed.text is None and failed.first_token == {}


@pytest.mark.parametrize("tags", [(), ("song", "item=1"), ("two-ai", "pole=first")])
def test_tags_that_lack_something(tags):
    with pytest.raises(ValueError, match="expected an instrument"):
        answer(PERSONAS["aligned"], tags, 0)
