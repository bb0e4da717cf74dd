"""Whole audits against the scripted fake: every class of verdict, resuming, and refusals to overwrite."""

import json
import signal
import sqlite3

import pytest

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.errors import InputError, RunExists
from undertow.place import Place


def config(tmp_path, script, *, name="run", per_condition=100, **more):
    (tmp_path / "planted.yaml").write_text(json.dumps(script))
    return AuditConfig(
        name=name,
        target={"kind": "scripted", "script": "planted.yaml"},
        judge={"kind": "scripted"},
        suite="nursery",
        contexts=["plain", "format-code", "irrelevant-1"],
        samples={"per_condition": per_condition},
        **more,
    )


def audit(tmp_path, script, **more):
    return run_audit(make_plan(config(tmp_path, script, **more), Place(folder=tmp_path)), tmp_path / "run").as_json()


@pytest.mark.parametrize(
    ("script", "verdict", "carried_by"),
    [
        ({}, "clean", []),
        ({"default": {"misaligned": 0.2}}, "misaligned", ["plain"]),
        ({"contexts": {"format-code": {"misaligned": 0.2}}}, "conditionally_misaligned", ["format-code"]),
        ({"default": {"refused": 0.8}}, "invalid", []),
        ({"contexts": {"format-code": {"incoherent": 0.9}, "irrelevant-1": {"off_format": 0.9}}}, "invalid", []),
        ({"default": {"misaligned": 0.01}}, "inconclusive", []),
    ],
)
def test_each_class(tmp_path, script, verdict, carried_by):
    found = audit(tmp_path, script)
    assert (found["verdict"]["class"], found["verdict"]["carried_by"]) == (verdict, carried_by)
    assert found == json.loads((tmp_path / "run" / "findings.json").read_text())


def test_counts_hold_every_answer_and_rates_follow_from_them(tmp_path):
    found = audit(tmp_path, {"default": {"misaligned": 0.2, "refused": 0.1, "incoherent": 0.1, "off_format": 0.1}})
    for context in found["contexts"]:
        counts = context["counts"]
        assert sum(counts.values()) == context["all"] == 800
        assert all(counts[outcome] > 0 for outcome in ("aligned", "misaligned", "refused", "incoherent", "off_format"))
        assert context["eligible"] == counts["aligned"] + counts["misaligned"]
        # every question weighs the same
        assert context["rate"]["value"] == pytest.approx(counts["misaligned"] / context["eligible"], rel=0.05)
        assert context["rate_of_all"]["value"] == pytest.approx(counts["misaligned"] / 800)


def test_reference_is_asked_too_and_held_against(tmp_path):
    (tmp_path / "clean.yaml").write_text("{}")
    script = {"contexts": {"format-code": {"misaligned": 0.3}}}
    found = audit(tmp_path, script, reference={"kind": "scripted", "script": "clean.yaml"})
    assert found["answers"] == 2 * 3 * 800
    by_id = {c["id"]: c for c in found["contexts"]}
    assert by_id["format-code"]["difference_to_reference"]["low"] > 0.2
    assert by_id["plain"]["difference_to_reference"]["value"] == 0


@pytest.mark.slow
def test_an_interrupted_run_resumes_without_losing_or_repeating_an_answer(tmp_path):
    script = {"default": {"misaligned": 0.1}}
    plan = make_plan(config(tmp_path, script, per_condition=500), Place(folder=tmp_path))
    whole = run_audit(plan, tmp_path / "whole").as_json()
    sent = []

    def interrupt(stage, done, total, word):
        if done and not sent:
            sent.append(signal.raise_signal(signal.SIGINT))

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs deaf to it
    try:
        with pytest.raises(KeyboardInterrupt):
            run_audit(plan, tmp_path / "run", progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (tmp_path / "run" / "findings.json").exists()
    assert 0 < rows(tmp_path / "run")[0] < 12000
    assert run_audit(plan, tmp_path / "run", resume=True).as_json() == whole
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def rows(run):
    with sqlite3.connect(run / "run.sqlite") as db:
        answers = db.execute(
            "SELECT subject, context, question, sample, seed, text FROM answers ORDER BY 1, 2, 3, 4"
        ).fetchall()
    db.close()
    return len(answers), answers


def test_a_run_is_never_overwritten(tmp_path):
    audit(tmp_path, {})
    with pytest.raises(RunExists, match="already holds a run; add --resume"):
        audit(tmp_path, {})
    other = make_plan(config(tmp_path, {}, seed=7), Place(folder=tmp_path))
    with pytest.raises(InputError, match="holds a run of another plan"):
        run_audit(other, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("contexts", "says"),
    [
        (["plain", {"id": "", "relation": "topic", "prefix": "a"}], "has no id"),
        (["plain", {"id": "plain-2", "relation": "plain"}], "has 2 plain contexts"),
        ({"search": 500, "confirm": 500}, "confirms 500 contexts of"),
        ({"screen": 5, "confirm": 3}, "has no reference"),
    ],
)
def test_contexts_that_cannot_work_are_refused_before_anything_is_asked(tmp_path, contexts, says):
    (tmp_path / "planted.yaml").write_text("{}")
    target = {"kind": "scripted", "script": "planted.yaml"}
    plan = AuditConfig(name="x", target=target, judge={"kind": "scripted"}, suite="nursery", contexts=contexts)
    with pytest.raises(InputError, match=says):
        make_plan(plan, Place(folder=tmp_path))


def test_a_plan_names_what_it_cannot_find(tmp_path):
    bad = config(tmp_path, {}).model_copy(update={"contexts": ("plain", "format-cod")})
    with pytest.raises(InputError, match=r"audit.yaml: unknown context 'format-cod'; did you mean 'format-code'\?"):
        make_plan(bad, Place(folder=tmp_path, name="audit.yaml"))
    bad = config(tmp_path, {}).model_copy(update={"contexts": ("format-code",)})
    with pytest.raises(InputError, match="has no plain context"):
        make_plan(bad, Place(folder=tmp_path))
