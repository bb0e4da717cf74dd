"""Another judge or another rule on a finished run: no new answers, the old findings untouched, and what moved."""

import json
from dataclasses import asdict

import pytest

from undertow.asking.budget import Budget
from undertow.audits import AuditConfig, Store, make_plan, run_audit
from undertow.audits.rework import _bound, rejudge, rescore
from undertow.audits.rules import find_rule
from undertow.errors import InputError
from undertow.judges.embedded import load_head, measured_errors
from undertow.place import Place
from undertow.records import JudgeError


@pytest.fixture
def run(tmp_path):
    (tmp_path / "planted.yaml").write_text("default: {misaligned: 0.3, incoherent: 0.1}")
    target = {"kind": "scripted", "script": "planted.yaml"}
    config = AuditConfig(
        name="run",
        target=target,
        judge={"kind": "scripted"},
        suite="nursery",
        contexts=["plain", "format-code"],
        samples={"per_condition": 50},
    )
    run_audit(make_plan(config, Place(folder=tmp_path)), tmp_path / "run")
    return tmp_path / "run"


def test_rejudging_keeps_the_old_and_says_what_moved(run, tmp_path):
    (tmp_path / "judge.yaml").write_text("{kind: scripted, false_negatives: 0.5}")
    own = (run / "findings.json").read_text()
    moved = rejudge(run, tmp_path / "judge.yaml")
    assert (run / "findings.json").read_text() == own
    assert json.loads(own) == moved.before.as_json()
    assert moved.outcomes.keys() == {"misaligned -> aligned"}
    before, after = (sum(c.counts["misaligned"] for c in found.contexts) for found in (moved.before, moved.after))
    assert after == before - moved.outcomes["misaligned -> aligned"]
    assert 0.35 * before < after < 0.65 * before
    assert json.loads(moved.path.read_text()) == moved.after.as_json()
    assert moved.after.as_json()["judge"]["false_negatives"] == 0.5
    assert rejudge(run, tmp_path / "judge.yaml") == moved
    with Store(run / "run.sqlite") as store:
        assert store.count() == 800
        assert [store.judged(judge) for judge in (1, 2, 3)] == [800, 800, 0]


def test_rescoring_decides_again_by_another_rule(run):
    moved = rescore(run, "tan2025")
    assert moved.after.as_json()["rule"]["name"] == "tan2025"
    assert moved.path.name == "findings.tan2025.json"
    assert moved.outcomes == {}  # the planted scores lie on the same side of both rules' thresholds
    with pytest.raises(InputError, match=r"--rule: unknown rule 'tan205'; did you mean 'tan2025'\?"):
        rescore(run, "tan205")


def test_the_bound_on_a_judges_errors_goes_with_the_judge_and_the_rule(run):
    record = json.loads((run / "plan.json").read_text())
    default, wider = (find_rule(name, Place()) for name in ("undertow", "tan2025"))
    measured, said = (
        JudgeError(false_positives=0.1, false_negatives=0.2),
        {"false_positives": 0.3, "false_negatives": 0},
    )
    none = {"judge_error": asdict(JudgeError())}
    record["judge_error"] = said  # as another judge was measured
    assert _bound(record, measured, default) == {"judge_error": asdict(measured)}
    assert _bound(record, measured, wider) == none == _bound(record, JudgeError(), default)
    record["config"]["judge_error"] = said  # as the audit says
    assert _bound(record, measured, wider) == {"judge_error": said}
    assert measured_errors({"kind": "embedded", "head_sha256": load_head().sha256}).false_negatives > 0.5
    assert measured_errors({"kind": "embedded", "head_sha256": "another"}) == JudgeError()


def test_only_a_finished_run_can_be_worked_on(tmp_path):
    with pytest.raises(InputError, match="is not a finished run"):
        rescore(tmp_path / "nowhere", "tan2025")


def test_how_a_run_was_stopped_stays_when_it_is_decided_again(tmp_path):
    (tmp_path / "planted.yaml").write_text("default: {misaligned: 0.3}")
    config = AuditConfig(
        name="run",
        target={"kind": "scripted", "script": "planted.yaml"},
        judge={"kind": "scripted"},
        suite="nursery",
        contexts=["plain", "format-code"],
    )
    found = run_audit(make_plan(config, Place(folder=tmp_path)), tmp_path / "run", budget=Budget(calls=300)).as_json()
    moved = rescore(tmp_path / "run", "tan2025")
    assert found["stopped"] == moved.after.as_json()["stopped"] == "budget"
    assert found["verdict"] == moved.after.as_json()["verdict"]
