"""`undertow view`: which runs it shows under which labels, what it refuses, and how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from undertow.cli.view import named
from undertow.errors import InputError


def begun(folder):
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text("{}")
    return folder


def test_runs_are_told_apart_by_labels_or_by_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("one/run", "two/run", "three"):
        begun(tmp_path / folder)
    assert named(["one/run"]) == {"run": Path("one/run")}
    assert named(["one/run", "two/run"]) == {"one/run": Path("one/run"), "two/run": Path("two/run")}
    assert named(["a=one/run", "b=one/run"]) == {"a": Path("one/run"), "b": Path("one/run")}
    assert named(["before=one/run", "three"]) == {"before": Path("one/run"), "three": Path("three")}
    begun(tmp_path / "x=y")
    assert named(["x=y"]) == {"x=y": Path("x=y")}


def test_a_study_stands_for_the_runs_of_its_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for cell in ("base-1", "narrow-2"):
        begun(tmp_path / "study" / "cells" / cell / "run")
    assert list(named(["study"])) == ["base-1", "narrow-2"]
    assert list(named(["s=study"])) == ["s/base-1", "s/narrow-2"]


@pytest.mark.parametrize("runs", [["a=one", "a=two"], ["one", "one"]])
def test_two_runs_of_one_label_are_refused(tmp_path, monkeypatch, runs):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="two runs are called"):
        named(runs)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nothing", "nothing: is not a run; a run holds plan.json"),
        ("empty", "empty: is not a run"),
        ("odd", "plan.json: "),
        ("a=empty", "empty: is not a run"),
    ],
)
def test_a_folder_that_holds_no_run_is_told_in_a_line(here, tmp_path, what, said):
    (tmp_path / "empty").mkdir()
    begun(tmp_path / "odd")
    code, out, err = here("view", "--no-browser", what)
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1


@pytest.mark.slow
def test_it_serves_until_ctrl_c_and_leaves_the_run_as_it_was(serve, here, tmp_path):
    from undertow.files import to_yaml

    (tmp_path / "audit.yaml").write_text(to_yaml(serve().audit(samples={"per_condition": 1})))
    here("audit", "audit.yaml", "-o", "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    deaf = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # as a shell's background jobs are
    code = f"{deaf}; from undertow.cli.main import main; main()"
    command = [sys.executable, "-c", code, "view", "--no-browser", "a=run"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as view:
        try:
            line = view.stdout.readline()
            url = re.fullmatch(r"view: (http://127\.0\.0\.1:\d+/[\w-]{32}/)\n", line)[1]
            with urllib.request.urlopen(url, timeout=10) as reply:
                assert b"Undertow" in reply.read()
            time.sleep(0.2)
            view.send_signal(signal.SIGINT)
            out, err = view.communicate(timeout=30)
        finally:
            view.kill()
    assert (view.returncode, out) == (130, "")
    assert err == "\nundertow: stopped; every label is kept, and the runs are as they were\n"
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before
