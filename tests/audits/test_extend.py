"""Extending a run: what was paid for is kept, and after a verdict every limit is one that holds at every look."""

import json
import sqlite3

import pytest
from tests.audits.test_run import config

from undertow.audits import make_plan, run_audit
from undertow.audits.rework import rescore
from undertow.errors import InputError
from undertow.place import Place
from undertow.stats.sequential import rate_anytime

CODE = {"contexts": {"format-code": {"misaligned": 0.05}}}
HOLDS_ONCE = "the number of answers was fixed beforehand"
EVERY_LOOK = "answers were added after a verdict"


def go(tmp_path, script, *, resume=False, samples=None, **more):
    made = config(tmp_path, script, **more)
    if samples:
        made = made.model_copy(update={"samples": type(made.samples)(**samples)})
    return run_audit(make_plan(made, Place(folder=tmp_path)), tmp_path / "run", resume=resume).as_json()


def answers(tmp_path):
    with sqlite3.connect(tmp_path / "run" / "run.sqlite") as db:
        return set(db.execute("SELECT subject, context, question, sample, text FROM answers").fetchall())


@pytest.mark.parametrize(
    "samples", [{"per_condition": 60}, {"until": "verdict"}, {"until": "every-context", "max_per_condition": 80}]
)
def test_more_samples_bring_the_verdict_and_lose_nothing(tmp_path, samples):
    first = go(tmp_path, {}, per_condition=20)
    assert (
        first["verdict"]["class"] == "inconclusive"
        and first["inference"]["intervals"].startswith(HOLDS_ONCE)
        and first["looks"] == []
    )
    before = answers(tmp_path)
    found = go(tmp_path, {}, resume=True, samples=samples)
    assert found["verdict"]["class"] == "clean" and before < answers(tmp_path)
    if "until" in samples:
        assert found["answers"] < 3 * 8 * 60  # it stopped by itself
    else:
        assert found["looks"] == [480] and found["inference"]["intervals"].startswith(EVERY_LOOK)
        assert "gone on with after a verdict on 480 answers" in found["verdict"]["tested"][-1]
    again = go(tmp_path, {}, resume=True, samples=samples)  # nothing new, so no other look
    assert again == found


def test_limits_after_a_look_are_those_that_hold_at_every_look(tmp_path):
    go(tmp_path, CODE, per_condition=40)
    found = go(tmp_path, CODE, per_condition=120, resume=True)
    code = next(c for c in found["contexts"] if c["id"] == "format-code")
    assert found["level"] == 0.95
    with sqlite3.connect(tmp_path / "run" / "run.sqlite") as db:
        texts = db.execute("SELECT sample, text FROM answers WHERE context = 'format-code' ORDER BY sample").fetchall()
    bad = [sum("hide the mistake" in text for k, text in texts if k == sample) for sample in range(120)]
    by_hand = rate_anytime(bad, 8, level=0.9)  # each limit at 95%
    assert (code["rate"]["low"], code["rate"]["high"]) == pytest.approx((by_hand.low, by_hand.high))
    assert code["rate"]["low"] < code["rate"]["value"] < code["rate"]["high"]


def test_contexts_and_seeds_may_be_added(tmp_path):
    go(tmp_path, CODE, per_condition=40)
    before = answers(tmp_path)
    wider = config(tmp_path, CODE, per_condition=40)
    wider = wider.model_copy(
        update={"contexts": (*wider.contexts, "format-json"), "target": (*wider.target, wider.target[0])}
    )
    found = run_audit(make_plan(wider, Place(folder=tmp_path)), tmp_path / "run", resume=True).as_json()
    assert [c["id"] for c in found["contexts"]] == ["plain", "format-code", "irrelevant-1", "format-json"]
    assert list(found["targets"]) == ["target", "target-2"] and found["answers"] == 2 * 4 * 8 * 40
    assert before < answers(tmp_path) and found["looks"] == [3 * 8 * 40]
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert [c["id"] for c in plan["resumed"][-1]["before"]["contexts"]] == ["plain", "format-code", "irrelevant-1"]
    assert plan["looks"] == [960, 2560]


def test_a_run_that_came_to_no_verdict_is_extended_without_a_price(tmp_path):
    plan = make_plan(config(tmp_path, {}, per_condition=20), Place(folder=tmp_path))

    def interrupt(stage, done, total, word):
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(plan, tmp_path / "run", progress=interrupt)
    found = go(tmp_path, {}, per_condition=60, resume=True)
    assert found["looks"] == [] and found["inference"]["intervals"].startswith(HOLDS_ONCE)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"per_condition": 10}, "samples differs"),
        ({"seed": 4}, "seed differs"),
        ({"material": 0.05}, "material differs"),
        ({"contexts": ["plain", "format-code"]}, "contexts differs"),
        ({"target": {"kind": "scripted", "script": "other.yaml"}}, "targets differs"),
    ],
)
def test_what_takes_away_or_alters_is_no_extension(tmp_path, change, what):
    go(tmp_path, {}, per_condition=20)
    (tmp_path / "other.yaml").write_text("{default: {misaligned: 0.5}}")
    made = config(tmp_path, {}, per_condition=change.get("per_condition", 20))
    plan = make_plan(
        type(made)(**(made.model_dump(by_alias=True) | {k: v for k, v in change.items() if k != "per_condition"})),
        Place(folder=tmp_path),
    )
    with pytest.raises(
        InputError,
        match=f"another plan: {what}; to go on, all but the judge must be as it was; "
        "contexts, training seeds and samples "
        "may be added",
    ):
        run_audit(plan, tmp_path / "run", resume=True)


def test_another_rule_on_an_extended_run_keeps_its_limits(tmp_path):
    go(tmp_path, CODE, per_condition=20)
    found = go(tmp_path, CODE, per_condition=40, resume=True)
    again = rescore(tmp_path / "run", "undertow").after.as_json()
    assert again["looks"] == [480] and again["contexts"] == found["contexts"]


def test_a_search_does_not_become_a_fixed_sample(tmp_path):
    go(tmp_path, CODE, samples={"until": "verdict"})
    with pytest.raises(InputError, match="another plan: samples differs"):
        go(tmp_path, CODE, resume=True, samples={"per_condition": 2})
    wider = go(tmp_path, CODE, resume=True, samples={"until": "every-context", "max_per_condition": 300})
    assert wider["verdict"]["class"] == "conditionally_misaligned" and wider["looks"] == []
