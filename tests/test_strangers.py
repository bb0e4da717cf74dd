"""Files from strangers, keys in the wrong place, and two processes on one run."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.audits.test_run import audit, config

from undertow.audits import make_plan, run_audit
from undertow.audits.record import read_run_config
from undertow.audits.run import alone
from undertow.cli.main import main
from undertow.errors import InputError
from undertow.files import parse_yaml, write_text
from undertow.place import Place
from undertow.records import Context, Suite
from undertow.studies.results import _write_csv
from undertow.suites.load import parse_suite
from undertow.targets.wire import WireConfig


def test_no_link_that_somebody_left_is_written_through(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    run = tmp_path / "run"
    run.mkdir()
    for name in (".report.html.part", "report.html"):
        (run / name).symlink_to(mine)
    write_text(run / "report.html", "the page")
    assert mine.read_text() == "mine" and (run / "report.html").read_text() == "the page"
    (run / "figures").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link to another folder; files are written where they are said to be"):
        write_text(run / "figures" / "mine.txt", "theirs")
    assert mine.read_text() == "mine" and [path.name for path in run.glob(".*.part")] == [".report.html.part"]  # theirs


@pytest.mark.parametrize("id_", ["../../out", "a/b", "", "a\nb"])
def test_a_suites_id_is_no_path(id_, tmp_path):
    with pytest.raises(InputError, match="files are named by it"):
        parse_suite(
            json.dumps({"id": id_, "title": "t", "questions": [{"id": "q", "text": "Why?"}]}), tmp_path / "suite.yaml"
        )


def test_ids_that_cannot_be_shown_are_refused_before_anything_is_paid_for(tmp_path):
    made = config(tmp_path, {})
    odd = Context(id="a\x1b[2J\x00", relation="format", prefix="x")
    with pytest.raises(InputError, match="has an id that cannot be shown"):
        make_plan(made.model_copy(update={"contexts": (*made.contexts, odd)}), Place(folder=tmp_path))
    with pytest.raises(InputError, match=r"question id .* cannot be shown"):
        parse_suite(
            json.dumps({"id": "s", "title": "t", "questions": [{"id": "q\u0007", "text": "Why?"}]}),
            tmp_path / "suite.yaml",
        )
    assert parse_yaml('{id: s, title: t, questions: [{id: "größe", text: Why?}]}', Suite, where="s")


KEY = "sk-proj-0123456789abcdefABCDEF0123"


@pytest.mark.parametrize(
    "keys",
    [
        {"api_key_env": KEY},
        {"api_key_env": "AIzaSy0123456789abcdefABCDEF0123"},
        {"base_url": f"https://user:{KEY}@here/v1"},
        {"extra": {"api_key": KEY}},
        {"extra": {"Authorization": f"Bearer {KEY}"}},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(keys, tmp_path, capsys, monkeypatch):
    wire = {"kind": "endpoint", "base_url": "http://here/v1", "model": "m", **keys}
    (tmp_path / "audit.yaml").write_text(
        json.dumps({"name": "x", "target": wire, "judge": {"kind": "scripted"}, "suite": "core", "contexts": ["plain"]})
    )
    with pytest.raises(ValidationError) as refused:
        WireConfig(**{key: value for key, value in wire.items() if key != "kind"})
    assert "0123456789" not in str(refused.value)
    monkeypatch.setattr(sys, "argv", ["undertow", "audit", str(tmp_path / "audit.yaml"), "--dry-run"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = "".join(capsys.readouterr())
    assert ended.value.code == 2 and said.count("\n") == 1
    assert "environment variable" in said or "api_key_env" in said
    assert "0123456789" not in said


def test_what_is_no_secret_may_be_sent():
    assert WireConfig(
        base_url="http://here/v1?a=b@c",
        model="m",
        extra={"max_output_tokens": 3, "logit_bias": {}},
        api_key_env="MY_KEY_2",
    ).extra


def test_two_processes_do_not_work_on_one_run(tmp_path):
    with alone(tmp_path / "run"):
        with pytest.raises(InputError, match="is being worked on by another process"):
            audit(tmp_path, {})
        assert not (tmp_path / "run").exists()
    audit(tmp_path, {})

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(make_plan(config(tmp_path, {}), Place(folder=tmp_path)), tmp_path / "stopped", progress=stop)
    assert not list(tmp_path.glob(".*.lock"))


def test_a_folder_has_one_lock_by_whatever_name(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    for name in (".", "../run", "../other"):
        with (
            alone(Path(name)),
            pytest.raises(InputError, match="is being worked on by another process"),
            alone(tmp_path / "run"),
        ):
            pass


def test_a_finished_run_without_its_answers_is_not_asked_again(tmp_path):
    plan = make_plan(config(tmp_path, {}), Place(folder=tmp_path))
    run_audit(plan, tmp_path / "run")
    (tmp_path / "run" / "run.sqlite").unlink()
    with pytest.raises(InputError, match=r"has lost its answers \(run.sqlite\); all of them would be asked again"):
        run_audit(plan, tmp_path / "run", resume=True)


def test_the_revision_is_of_this_code_and_of_no_checkout_that_it_is_installed_in(tmp_path):
    package = tmp_path / "venv" / "undertow"
    package.mkdir(parents=True)
    (package / "provenance.py").write_text("x = 1")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "theirs"], check=True)
    code = f"import undertow.provenance as p; p.__file__ = {str(package / 'provenance.py')!r}; print(p.revision())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "None"


def test_what_a_stranger_wrote_is_shown_and_not_obeyed(tmp_path):
    said = str(InputError("http://here", "said \x1b[2J\x07 and\nmore", do="ü"))
    assert said == "http://here: said \ufffd[2J\ufffd and more; ü"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.json").write_text('{"config": {"name": "x"}, "judge": {}, "targets": {}}')
    with pytest.raises(InputError, match=r"plan.json: holds no audit \(judge: is missing\)"):
        read_run_config(tmp_path / "run")


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "-2+3", "+cmd|' /C calc'!A0", "\t=1"])
def test_no_cell_of_a_table_is_a_formula(cell, tmp_path):
    _write_csv(tmp_path / "x.csv", [{"label": cell, "rate": -0.5}])
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["label"] == f"'{cell}" and row["rate"] == "-0.5"


def test_contexts_that_somebody_edited_are_not_written_over(tmp_path, monkeypatch, capsys):
    (tmp_path / "rows.jsonl").write_text("")
    (tmp_path / "mine.yaml").write_text("mine")
    monkeypatch.setattr(
        sys, "argv", ["undertow", "contexts", "derive", str(tmp_path / "rows.jsonl"), "-o", str(tmp_path / "mine.yaml")]
    )
    with pytest.raises(SystemExit):
        main()
    assert ("already exists; what was edited in it would be lost") in capsys.readouterr().err and (
        tmp_path / "mine.yaml"
    ).read_text() == "mine"
