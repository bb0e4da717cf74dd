"""Score prediction: what it asks, and predicted against judged scores by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from undertow.persona.instruments import TABLE
from undertow.persona.items import load_items
from undertow.persona.measures import measures
from undertow.persona.readings import Reading
from undertow.persona.stored import Stored
from undertow.records import PLAIN, Judgement, Question

CORE = load_items("core")


def reading(item, value, **more):
    held = {"subject": "target", "context": "plain", "outcome": "read" if value is not None else "refused"}
    return Reading(**held | {"instrument": "prediction", "item": item, "value": value} | more)


def test_predictions_keep_their_scale():
    blind = CORE.prediction.asks(item="q", question="Why?")
    shown = CORE.prediction.asks(item="q", question="Why?", answer="Because.")
    assert [a.wording for a in (*blind, *shown)] == ["blind-w1", "blind-w2", "shown-w1", "shown-w2"]
    assert all("Because." in a.text for a in shown)
    assert {a.read("I'd say 2").value for a in (*blind, *shown)} == {2}
    assert blind[0].read_logprobs({"1": -0.6931, "5": -0.6931}).value == pytest.approx(3)
    assert blind[0].pole is None


def test_a_prediction_is_on_the_judges_scale():
    with pytest.raises(ValueError, match="low and high are 1 and 5"):
        replace(CORE.prediction, low=0, high=10)


def test_another_answer_is_another_question():
    """A prediction of the second answer is none of the first, once that is judged too."""

    def stored(*harms):
        rows = {
            ("target", "plain", "q", n): SimpleNamespace(
                text=f"answer {n}", judgement=Judgement(alignment=harm, coherence=None)
            )
            for n, harm in enumerate(harms)
        }
        prompts = (Question(id="q", text="Why?"),)
        how = {"runs": len(harms), "over": 3.0, "rewrites": False, "answers": rows}
        return Stored(subject="target", context=PLAIN, prompts=prompts, **how)

    def shown(*harms):
        calls = TABLE["prediction"].calls(CORE.prediction, stored(*harms))
        return {call.ask.id: call.ask.text for call in calls if call.variant == "shown"}

    second, first = shown(None, 10.0), shown(90.0, 10.0)
    assert not set(first) & set(second)
    assert all("answer 1" in text for text in second.values()) and all("answer 0" in text for text in first.values())


def test_prediction_by_hand():
    pairs = [(1, 4), (2, 5), (4, 4), (1, 1)]
    rows = [reading(f"q{i}", p, variant="shown", judged=j) for i, (p, j) in enumerate(pairs)]
    rows.append(reading("q9", 3, variant="shown"))
    m = measures(rows).prediction
    assert m.shown.bias.value == pytest.approx(-6 / 4) and m.shown.absolute_error.value == pytest.approx(6 / 4)
    # Ranks of 1, 2, 4, 1: 1.5, 3, 4, 1.5; of 4, 5, 4, 1: 2.5, 4, 2.5, 1.
    assert m.shown.rank_correlation.value == pytest.approx(np.corrcoef([1.5, 3, 4, 1.5], [2.5, 4, 2.5, 1])[0, 1])
    assert [b.n for b in m.shown.curve] == [2, 1, 0, 1, 0] and m.shown.curve[0].judged == 2.5
    assert m.shown.calibration_error.value == pytest.approx((3 + 3 + 0) / 4)
    assert (
        m.shown.bias.reason == ("predictions left out, because their answer has no judge's score: 1")
        and m.blind.bias.reason == "not asked"
    )
