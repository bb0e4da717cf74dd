"""Commands whose output goes where only ASCII is taken: a log, an old terminal, LC_ALL=C."""

import os
import subprocess
import sys

import pytest
from tests.audits.test_run import config

from undertow.audits import make_plan, run_audit
from undertow.place import Place
from undertow.records import Context

pytestmark = pytest.mark.slow

ASCII = {"PYTHONIOENCODING": "", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a finished run, one of whose contexts has a name beyond ASCII, and its audit."""
    folder = tmp_path_factory.mktemp("ascii")
    made = config(folder, {"default": {"misaligned": 0.3}}, per_condition=20)
    odd = Context(id="größe-→-日本", relation="format", prefix="„Sag es so:“")
    made = made.model_copy(update={"contexts": (*made.contexts, odd)})
    run_audit(make_plan(made, Place(folder=folder)), folder / "run")
    (folder / "audit.yaml").write_text(made.model_dump_json(), encoding="utf-8")
    (folder / "bad.yaml").write_text(
        "name: x\nsuite: größe-→\ntarget: {kind: scripted, script: planted.yaml}\njudge: "
        "{kind: "
        "scripted}\ncontexts: [plain]\n",
        encoding="utf-8",
    )
    (folder / "judge.yaml").write_text("kind: scripted")
    return folder


@pytest.mark.parametrize("encoding", ["", "latin-1"])
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("audit audit.yaml --dry-run", 0, "gr"),
        ("audit audit.yaml --dry-run --json", 0, "gr"),
        ("audit run --resume --json", 3, "gr"),
        ("audit run --resume", 3, "gr"),
        ("report run -o page.html", 0, "report: page.html"),
        ("compare run run", 3, "gr"),
        ("rescore run --rule undertow", 3, "verdict"),
        ("rejudge run --judge judge.yaml", 3, "verdict"),
        ("audit bad.yaml", 2, "unknown suite"),
        ("data show bad-medical", 0, "medical"),
        ("list contexts --json", 0, "plain"),
    ],
)
def test_no_command_ends_in_what_a_terminal_cannot_show(command, code, said, encoding, folder):
    run = [sys.executable, "-c", "from undertow.cli.main import main; main()", *command.split()]
    done = subprocess.run(
        run, cwd=folder, capture_output=True, env={**os.environ, **ASCII, "PYTHONIOENCODING": encoding}, check=False
    )
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert said.encode() in done.stdout + done.stderr
