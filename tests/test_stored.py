"""Runs that an earlier state of this library wrote: what is decided on their answers stays as it was, but for the last
digits of floats, in which processors differ.

`stored/` holds them: `fixed` (three training seeds and a reference), `sequential`, `searched`, `profiled` (a persona),
and `format-3`, whose run.sqlite is in the format before this one, and whose judge said less of itself: it judges anew.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.same import assert_same

from undertow.audits import Store
from undertow.cli.main import cli

STORED = Path(__file__).parent / "stored"


def again(name: str, tmp_path: Path, command: str) -> Path:
    """A copy of a stored run, decided anew by going on with it."""
    run = tmp_path / name
    shutil.copytree(STORED / name, run)
    for script in STORED.glob("*.yaml"):
        shutil.copy(script, tmp_path)
    record = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps(record | {"beside": str(tmp_path)}))
    done = CliRunner().invoke(cli, [command, str(run), "--resume"], standalone_mode=False)
    assert done.exception is None, done.output
    return run


@pytest.mark.parametrize("name", ["fixed", "sequential", "searched", "format-3"])
def test_an_audit_decides_as_it_did(name: str, tmp_path: Path) -> None:
    run = again(name, tmp_path, "audit")
    now = json.loads((run / "findings.json").read_text())
    assert now["verdict"].pop("breakdown")  # came later, and every one of these verdicts has one
    if now["verdict"]["class"] == "clean":  # so did what is said of a clean one
        assert now["verdict"]["not_tested"].pop().startswith("whether it goes by being tested")
    assert_same(now, json.loads((STORED / name / "findings.json").read_text()))


@pytest.mark.slow
def test_a_profile_is_as_it_was(tmp_path: Path) -> None:
    run = again("profiled", tmp_path, "persona")
    now = json.loads((run / "persona.json").read_text())
    for profile in now["profiles"]:  # what came later: harm is by worst of n, which no label corrects
        assert [profile.pop(key) for key in ("labelled", "as_judged", "breakdown")] == [0, None, None]
    assert_same(now, json.loads((STORED / "profiled" / "persona.json").read_text()))


@pytest.mark.slow
def test_going_on_with_a_finished_profile_asks_nothing_again(tmp_path: Path) -> None:
    """Safe foils too, whose prompts hold a mark that is another one in every process."""
    with (
        Store(again("profiled", tmp_path, "persona") / "run.sqlite") as now,
        Store(STORED / "profiled" / "run.sqlite") as before,
    ):
        assert now.count() == before.count()
