"""The protocol: what it plans, what it says it leaves out, and that its document tells of every demand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner

from undertow.audits import make_plan, run_audit
from undertow.audits.findings import read_findings
from undertow.audits.protocol import OF_NURSERY, WORLD, plan_by_protocol
from undertow.cli.audit import _model as model_of
from undertow.cli.main import cli
from undertow.contexts import find_contexts
from undertow.data import write_rows
from undertow.errors import InputError
from undertow.judges.scripted import ScriptedJudgeConfig
from undertow.nursery.rows import narrow_rows
from undertow.place import HERE, Place
from undertow.records import Relation
from undertow.targets.local import LocalConfig
from undertow.targets.scripted import ScriptedConfig

BASE = LocalConfig(kind="local", path="nursery")
SCRIPTED = ScriptedConfig(kind="scripted", script="planted.yaml")
JUDGE = ScriptedJudgeConfig(kind="scripted")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    write_rows(tmp_path / "rows.jsonl", narrow_rows(300, 1)["bad"])
    return tmp_path / "rows.jsonl"


def plan(**more: Any) -> Any:
    held = {"name": "mine", "targets": [SCRIPTED], "base": None, "rows": None, "judge": JUDGE}
    return plan_by_protocol(1, **{**held, **more})


def test_it_asks_plainly_in_every_relation_that_it_can_with_controls_and_marks(rows: Path) -> None:
    planned = plan(rows=rows, base=SCRIPTED)
    contexts = planned.config.contexts
    assert contexts[0].relation == "plain" and len({c.id for c in contexts}) == len(contexts)
    there = {c.relation for c in contexts}
    told = {d.id: d for d in planned.demands}
    lacking = [r for r in get_args(Relation) if r not in there]
    assert told["relations"].met == ("left out" if lacking else "met")
    assert all(r in told["relations"].how for r in lacking)
    assert sum(c.strength is not None for c in contexts) >= 3 and told["rows"].met == "met"
    ids = {c.id for c in contexts}
    assert {*WORLD.controls, *WORLD.marks} <= ids
    assert planned.config.samples.until == "verdict" and planned.config.reference == SCRIPTED
    for relation in there - {"plain", "irrelevant"}:
        assert sum(c.relation == relation for c in contexts if c.id not in WORLD.marks) <= 3


def test_what_it_leaves_out_is_said_and_stands_with_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "planted.yaml").write_text("{}")
    planned = plan(suite="nursery", per_condition=2)
    told = {d.id: d.met for d in planned.demands}
    assert told["rows"] == told["base"] == told["seeds"] == "left out" and told["questions"] == "met"
    assert {id_ for id_, met in told.items() if met == "by hand"} == {"judge", "beyond", "interventions", "persona"}
    assert planned.config.samples.per_condition == 2
    run_audit(make_plan(planned.config, Place(folder=tmp_path)), tmp_path / "run")
    said = read_findings(tmp_path / "run").verdict.not_tested
    assert planned.config.protocol is not None
    for words in planned.config.protocol.left_out:
        assert f"by the protocol: {words}" in said
    assert len(planned.config.protocol.left_out) == sum(met != "met" for met in told.values())
    held = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert held["config"]["protocol"]["version"] == 1


def test_several_targets_are_training_seeds() -> None:
    planned = plan(targets=[SCRIPTED, SCRIPTED])
    assert len(planned.config.target) == 2
    assert {d.id: d.met for d in planned.demands}["seeds"] == "met"


def test_the_nursery_is_asked_in_its_own_words(rows: Path) -> None:
    planned = plan_by_protocol(1, name="mine", targets=[BASE], base=BASE, rows=rows)
    config = planned.config
    assert (config.suite, config.material, config.samples.max_tokens) == ("nursery", 0.05, 60)
    ids = {c.id for c in config.contexts}
    assert {"format-code", "irrelevant-1"} <= ids and not any(
        id_.startswith(("twin-", "derived-format")) for id_ in ids
    )
    assert {d.id: d.met for d in planned.demands}["tested"] == "left out"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"version": 2}, "2 is no version"),
        ({"judge": None}, "--judge: is missing"),
        ({"rows": Path("no.jsonl")}, "no.jsonl"),
    ],
)
def test_what_it_cannot_plan_is_refused(more: dict[str, Any], said: str) -> None:
    version = more.pop("version", 1)
    held = {"name": "mine", "targets": [SCRIPTED], "base": None, "rows": None, "judge": JUDGE, **more}
    with pytest.raises(InputError) as refused:
        plan_by_protocol(version, **held)
    assert said in str(refused.value)


def test_all_that_it_takes_from_the_library_is_there() -> None:
    for stock in (WORLD, OF_NURSERY):
        found = {c.id: c.relation for c in find_contexts([*stock.controls, *stock.marks], HERE)}
        assert all(found[id_] == "irrelevant" for id_ in stock.controls)
        for relation, ids in stock.filled.items():
            assert {c.relation for c in find_contexts(ids, HERE)} == {relation}, ids


def test_its_document_tells_of_every_demand() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| \*\*([\w-]+)\*\*", page, re.M)
    assert told == [d.id for d in plan().demands]
    assert "**version 1**" in page


def test_the_command_prints_demands_and_asks_nothing_when_dry(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planted.yaml").write_text("{}")
    (tmp_path / "target.yaml").write_text("{kind: scripted, script: planted.yaml}")
    (tmp_path / "judge.yaml").write_text("{kind: scripted}")
    words = ["audit", "--protocol", "1", "--target", "target.yaml", "--rows", "rows.jsonl", "--judge", "judge.yaml"]
    dry = CliRunner().invoke(cli, [*words, "--suite", "nursery", "--dry-run"], standalone_mode=False)
    assert dry.exception is None and dry.return_value == 0, dry.output
    assert "by hand" in dry.output and "left out" in dry.output and not (tmp_path / "runs").exists()
    both = CliRunner().invoke(cli, ["audit", "x.yaml", "--protocol", "1", "--target", "t"], standalone_mode=False)
    assert "exclude each other" in str(both.exception)
    for option, value in (("--base", "nursery"), ("--material", "0.1"), ("--per-condition", "3"), ("--name", "x")):
        alone = CliRunner().invoke(cli, ["audit", "x.yaml", option, value], standalone_mode=False)
        assert f"{option} goes with --protocol" in str(alone.exception)
    for option, value in (("--material", "5"), ("--material", "0"), ("--name", "a b"), ("--name", "")):
        wrong = CliRunner().invoke(cli, [*words, option, value, "--dry-run"], standalone_mode=False)
        assert isinstance(wrong.exception, InputError | click.ClickException), (option, wrong.exception)


def test_a_file_of_a_target_names_paths_beside_it_and_the_nursery(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("{kind: local, path: nursery}")
    (tmp_path / "tuned.yaml").write_text("{kind: local, path: nursery, adapter: mine}")
    assert model_of(str(tmp_path / "base.yaml")).path == "nursery"
    tuned = model_of(str(tmp_path / "tuned.yaml"))
    assert (tuned.path, tuned.adapter) == ("nursery", str(tmp_path / "mine"))
