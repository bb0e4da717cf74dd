"""The pipelines under `examples/ci/`, carried out as a runner would: an adapter is served, audited over the wire, and
let through or not."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from undertow.audits import make_plan, read_config
from undertow.cli.main import cli
from undertow.place import Place
from undertow.releases.verify import read_statement, verify

from .conftest import AUDIT

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "examples" / "ci"
MISSING = [
    name for name in ("torch", "transformers", "peft", "fastapi", "uvicorn", "openai") if find_spec(name) is None
]
serves = pytest.mark.skipif(bool(MISSING or not shutil.which("curl")), reason=f"needs {MISSING}, curl")


@pytest.fixture
def project(made, tmp_path):
    """A project as the pipelines expect it: an adapter, an audit and a run of what was released before; `PORT` is free.
    Returns its folder and the environment of a runner."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "project"
    shutil.copytree(made / "organism", folder / "models" / "adapter")
    held = yaml.safe_load((CI / "audit.yaml").read_text().replace("8000", str(port)))
    # as its baseline was asked, so that a gate takes both
    held |= {key: AUDIT[key] for key in ("judge", "suite", "contexts", "samples", "material")}
    held["target"]["concurrency"] = 1
    (folder / "audits").mkdir()
    (folder / "audits" / "audit.yaml").write_text(yaml.safe_dump(held))
    shutil.copytree(made / "run", folder / "audits" / "baseline")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "undertow"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m undertow "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), "/usr/bin", "/bin"])
    kept = {name: os.environ[name] for name in ("XDG_CACHE_HOME", "HOME", "LANG") if name in os.environ}
    environment = {**kept, "PATH": path, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "CI": "true"}
    return folder, environment, str(port)


def github(folder, environment, port, **env):
    """Carry out the workflow's one job: each step's name with its exit code, None where it was left out."""
    workflow = yaml.safe_load((CI / "github-action.yml").read_text())
    (job,) = workflow["jobs"].values()
    files = {name: folder.parent / name for name in ("GITHUB_ENV", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for path in files.values():
        path.touch()
    whole = {**environment, **workflow["env"], **{name: str(path) for name, path in files.items()}, **env}
    ended, failed = {}, False
    for step in job["steps"]:
        name = step["name"]
        ended[name] = None
        if (failed and step.get("if") != "always()") or "uses" in step or name == "Install":
            continue
        script = folder.parent / "step.sh"
        script.write_text(step["run"].replace("8000", port))
        secret = {
            key: re.sub(r"\$\{\{ secrets\.\w+ \}\}", "sk-secret", value) for key, value in step.get("env", {}).items()
        }
        of_steps = dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
        with (folder.parent / "log").open("a") as log:
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
                cwd=folder,
                env={**whole, **of_steps, **secret},
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=900,
                check=False,
            )
        ended[name] = done.returncode
        failed |= done.returncode != 0
    return ended


def gitlab(folder, environment, port, **env):
    """Carry out the job's script in one shell, as a runner does; its exit code and its log."""
    pipeline = yaml.safe_load((CI / "gitlab-ci.yml").read_text())
    script = folder.parent / "script.sh"
    script.write_text("set -eo pipefail\n" + "\n".join(pipeline["undertow"]["script"]).replace("8000", port))
    done = subprocess.run(
        ["bash", str(script)],
        cwd=folder,
        env={**environment, **pipeline["variables"], **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    return done.returncode, done.stdout


def stops(port):
    """Whether nobody listens there any more, within half a minute."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", int(port))):
                return True
        time.sleep(0.2)
    return False


def gated(folder, environment):
    command = ["undertow", "gate", "runs/candidate", "--baseline", "audits/baseline"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode


@pytest.mark.slow
@serves
def test_the_workflow_audits_what_it_serves_and_ends_as_the_gate_does(project):
    folder, environment, port = project
    ended = github(folder, environment, port)
    log = (folder.parent / "log").read_text()
    assert (ended["Serve the adapter"], ended["Audit"], ended["Say what came out"]) == (0, 0, 0), log
    assert ended["Gate"] == gated(folder, environment) and ended["Gate"] in (0, 3, 4), log
    assert ended["Stop the server"] == 0 and stops(port)
    summary = (folder.parent / "GITHUB_STEP_SUMMARY").read_text()
    assert summary.startswith("## candidate: ") and "Since the baseline" in summary
    assert re.search(r"^::(notice|warning|error) title=candidate%3A ", log, re.M)
    suite = ElementTree.parse(folder / "runs" / "candidate" / "junit.xml").getroot().find("testsuite")
    assert {case.get("name") for case in suite} == {"verdict", "plain", "format-code", "change"}
    statement = read_statement(folder / "runs" / "candidate" / "attestation.intoto.json")
    assert "changed" not in {each.state for each in verify(statement, run=folder / "runs" / "candidate")}
    assert "sk-secret" not in log
    assert not any(b"sk-secret" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_workflow_whose_server_does_not_come_up_or_whose_audit_is_none_lets_nothing_through(project):
    folder, environment, port = project
    ended = github(folder, environment, port, ADAPTER="models/none")
    assert ended["Serve the adapter"] == 1 and ended["Audit"] is None and ended["Gate"] is None
    assert "no such model folder" in (folder.parent / "log").read_text()
    # the steps after it, where a server is up and the audit cannot be read
    (folder / "audits" / "audit.yaml").write_text("name: x")
    workflow = yaml.safe_load((CI / "github-action.yml").read_text())
    (audit,) = [step for step in workflow["jobs"]["audit"]["steps"] if step["name"] == "Audit"]
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", audit["run"]], cwd=folder, env={**environment, **workflow["env"]}, check=False
    )
    assert done.returncode == 2


@pytest.mark.slow
@serves
def test_the_pipeline_audits_what_it_serves_and_ends_as_the_gate_does(project):
    folder, environment, port = project
    code, log = gitlab(folder, environment, port)
    assert code == gated(folder, environment) and code in (0, 3, 4) and stops(port), log
    run = folder / "runs" / "candidate"
    assert (run / "summary.md").read_text().startswith("## candidate: ")
    assert ElementTree.parse(run / "junit.xml").getroot().find("testsuite") is not None
    assert re.search(r"^(notice|warning|error): candidate: ", log, re.M)


def test_the_workflow_has_no_more_rights_than_it_needs_and_its_actions_are_pinned() -> None:
    workflow = yaml.safe_load((CI / "github-action.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in job
    for step in job["steps"]:
        assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step
        # what anybody may write is handed on in the environment, and never stands in a script
        assert "${{" not in step.get("run", "")
        assert "secrets." not in str(step) or step["name"] == "Audit"
    assert "pull_request_target" not in workflow[True]  # YAML reads `on` as true


def test_the_audit_to_begin_with_is_one(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    made = read_config(CI / "audit.yaml")
    assert make_plan(made, Place.of(CI / "audit.yaml")).targets["target"].describe()["name"] == "adapter"
    for file in ("github-action.yml", "gitlab-ci.yml"):
        text = (CI / file).read_text()
        assert "undertow[serve]==0.1.0" in text and "models/adapter" in text
        for line in re.findall(r"undertow (\w+)", re.sub(r"#.*|--\w+ \S+|name: .*", "", text)):
            assert line in {*cli.commands, "serve"}, line
