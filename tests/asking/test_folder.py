"""A run's folder: who may write to it, and what it is a run of."""

from __future__ import annotations

import json

import pytest

from undertow.asking.folder import alone, look_at, open_folder, require_same
from undertow.errors import InputError, RunExists

START = {"versions": {}, "revision": "a", "command": ["undertow"]}
RECORD = {
    "fixed": ["suite", "samples"],
    "suite": "core",
    "samples": {"per_condition": 5},
    "judge": {"name": "one"},
    **START,
}


def held(out):
    return json.loads((out / "plan.json").read_text())


def test_one_at_a_time_and_the_lock_goes_with_its_holder(tmp_path) -> None:
    out = tmp_path / "below" / "run"
    with alone(out):
        assert not out.exists()  # the lock is beside it
        with pytest.raises(InputError, match="is being worked on by another process; wait for it"), alone(out):
            pass
        with alone(out.with_name("other")):
            pass
    assert list(out.parent.iterdir()) == []
    with pytest.raises(ZeroDivisionError), alone(out):
        raise ZeroDivisionError
    with alone(out):
        pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path) -> None:
    (tmp_path / ".run.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="cannot be written"), alone(tmp_path / "run"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_where_a_run_may_be_written(tmp_path) -> None:
    out = tmp_path / "run"
    assert look_at(out, result="findings.json", resume=False) is False
    out.mkdir()
    (out / "plan.json.part").touch()  # what a killed start leaves
    assert look_at(out, result="findings.json", resume=False) is False
    (out / "notes.txt").touch()
    with pytest.raises(RunExists, match="exists and is not a run"):
        look_at(out, result="findings.json", resume=True)
    with pytest.raises(RunExists, match="is a file"):
        look_at(out / "notes.txt", result="findings.json", resume=False)
    (out / "plan.json").touch()
    with pytest.raises(RunExists, match="already holds a run; add --resume"):
        look_at(out, result="findings.json", resume=False)
    assert look_at(out, result="findings.json", resume=True) is True
    (out / "findings.json").touch()
    with pytest.raises(InputError, match=r"has lost its answers \(run\.sqlite\)"):
        look_at(out, result="findings.json", resume=True)
    (out / "run.sqlite").touch()
    assert look_at(out, result="findings.json", resume=True) is True


def test_only_what_is_fixed_must_be_as_it_was(tmp_path) -> None:
    require_same(tmp_path, RECORD, {**RECORD, "judge": {"name": "two"}, "revision": "b"})
    require_same(tmp_path, {"suite": "core"}, RECORD)  # a key that an older version did not write
    with pytest.raises(InputError, match=r"holds a run of another plan: suite differs; .*samples may be added"):
        require_same(tmp_path, RECORD, {**RECORD, "suite": "other"})
    more = {**RECORD, "samples": {"per_condition": 9}}
    with pytest.raises(InputError, match="another plan: samples differs"):
        require_same(tmp_path, RECORD, more)
    asked = []
    require_same(tmp_path, RECORD, more, extends=lambda key, before, now: not asked.append(key))
    assert asked == ["samples"]
    with pytest.raises(InputError, match=r"rule differs.*another rule on these answers: undertow rescore"):
        require_same(tmp_path, {"rule": "a"}, {"fixed": ["rule"], "rule": "b"})


def test_a_run_that_goes_on_keeps_its_start_what_it_found_and_what_it_asked_before(tmp_path) -> None:
    out = tmp_path / "run"
    first = open_folder(out, RECORD, None, result="findings.json")
    assert first == held(out) == RECORD
    more = {**RECORD, "samples": {"per_condition": 9}, "revision": "b"}
    whole = open_folder(out, more, {**first, "found": [1]}, result="findings.json", keeps=("found", "looks"))
    assert whole == held(out)
    assert (whole["samples"], whole["revision"], whole["found"]) == ({"per_condition": 9}, "a", [1])
    assert whole["resumed"] == [{**START, "revision": "b", "before": {"samples": {"per_condition": 5}}}]
    again = open_folder(out, more, whole, result="findings.json", keeps=("found",))
    assert len(again["resumed"]) == 2 and "before" not in again["resumed"][1]


def test_another_judge_leaves_the_old_ones_findings_beside(tmp_path) -> None:
    out, other = tmp_path / "run", {**RECORD, "judge": {"name": "two"}}
    open_folder(out, RECORD, None, result="findings.json")
    (out / "findings.json").write_text("by one")
    open_folder(out, RECORD, RECORD, result="findings.json")
    assert (out / "findings.json").read_text() == "by one"
    open_folder(out, other, RECORD, result="findings.json")
    (kept,) = out.glob("findings.judge-*.json")
    assert kept.read_text() == "by one" and not (out / "findings.json").exists()
