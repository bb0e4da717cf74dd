"""Commands whose output goes where only ASCII is taken: a log, an old terminal, LC_ALL=C."""

import codecs
import json
import os
import subprocess
import sys

import pytest
from tests.audits.test_run import config
from tests.each import each

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


SAID = [
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
]
ONE_BY_ONE = """
import io, json, sys, traceback
from undertow.cli.main import main

ours, known = sys.stdout, [(stream.encoding, stream.errors) for stream in (sys.stdout, sys.stderr)]
for command in json.load(sys.stdin):
    sys.argv = ["undertow", *command.split()]
    written = [io.BytesIO(), io.BytesIO()]
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(to, encoding=encoding, errors=errors) for to, (encoding, errors) in zip(written, known)
    )
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        code = traceback.print_exc()
    sys.stdout.flush(), sys.stderr.flush()
    print(json.dumps([command, code, known[0][0], *(to.getvalue().decode("latin-1") for to in written)]), file=ours)
"""
"""A process whose terminal takes so little, with streams as they are at its start for each command."""


@pytest.mark.parametrize("encoding", ["", "latin-1"])
def test_no_command_ends_in_what_a_terminal_cannot_show(encoding, folder):
    done = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE],
        cwd=folder,
        input=json.dumps([command for command, _, _ in SAID]).encode(),
        capture_output=True,
        env={**os.environ, **ASCII, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    assert [command for command, *_ in ended] == [command for command, _, _ in SAID]
    assert {codecs.lookup(takes).name for _, _, takes, *_ in ended} == {"iso8859-1" if encoding else "ascii"}

    @each("asked, ended", zip(SAID, ended, strict=True))
    def as_asked(asked, ended):
        (_, code, said), (_, ended_with, _, out, err) = asked, ended
        assert ended_with == code, err
        assert "Traceback" not in err
        assert said in out + err

    as_asked()
