"""A run's file from somebody else: damaged, or made to do harm; and a run that can only be read."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.audits.test_run import audit

import undertow.asking.store as stores
from undertow.audits import Store
from undertow.audits.run import alone
from undertow.cli.main import main
from undertow.errors import InputError

DAMAGE = {
    "random bytes": lambda whole: b"\x07\x93" * 5_000,
    "another header": lambda whole: b"SQLite format 4\x00" + whole[16:],
    "cut short": lambda whole: whole[: len(whole) // 2],
    "a cut page": lambda whole: whole[:-100],
    "pages of noise": lambda whole: whole[:4096] + b"\xff" * (len(whole) - 4096),
    "empty": lambda whole: b"",
}

HARM = {
    "a trigger that deletes": "CREATE TRIGGER t AFTER INSERT ON judgements BEGIN DELETE FROM answers; END",
    "a view that never ends": "ALTER TABLE answers RENAME TO a; CREATE VIEW answers AS WITH RECURSIVE n(id) AS (SELECT "
    "1 UNION ALL SELECT "
    "id + 1 FROM n) SELECT id FROM n",
    "a view beside": "CREATE VIEW v AS SELECT 1",
    "a table beside": "CREATE TABLE other (x)",
    "an index over a formula": "CREATE INDEX i ON answers (length(text) + 1)",
    "a column that is computed": "ALTER TABLE answers ADD COLUMN x AS (length(text)) VIRTUAL",
    "a column less": "ALTER TABLE judgements DROP COLUMN unread",
}

ODD = {
    "a word for a score": "UPDATE judgements SET alignment = 'low'",
    "a score without end": "UPDATE judgements SET alignment = 9e999",
    "bytes for words": "UPDATE answers SET text = x'00ff'",
    "a text for a number": "UPDATE answers SET n_tokens = 'many'",
    "a judge that is no JSON": "UPDATE judges SET described = 'x'",
    "probabilities that are none": "UPDATE answers SET first_token = '[1, 2]'",
    "bytes that are no text": "UPDATE answers SET text = CAST(x'ff41' AS TEXT)",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    audit(folder, {"default": {"misaligned": 0.3}})
    return folder / "run"


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run."""
    (tmp_path / "run").mkdir()
    for name in ("plan.json", "findings.json", "run.sqlite"):
        (tmp_path / "run" / name).write_bytes((finished / name).read_bytes())
    return tmp_path / "run"


def said(monkeypatch, capsys, *arguments):
    """The exit code of a command and what it said was wrong."""
    monkeypatch.setattr(sys, "argv", ["undertow", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err.lstrip()  # the line of a progress bar that had nothing to show


def require_refused(run, monkeypatch, capsys):
    """Everything that opens the file says one line, and leaves it as it was."""
    was = (run / "run.sqlite").read_bytes()
    (run.parent / "judge.yaml").write_text("kind: scripted")
    readers = (
        ["report", run, "-o", run.parent / "page.html"],
        ["compare", run, run],
        ["rescore", run, "--rule", "undertow"],
    )
    for command in (*readers, ["rejudge", run, "--judge", run.parent / "judge.yaml"]):
        code, line = said(monkeypatch, capsys, *command)
        assert (code, line.count("\n")) == (2, 1), line
        assert "run.sqlite: " in line
    assert (run / "run.sqlite").read_bytes() == was and not (run.parent / "page.html").exists()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_told_in_one_line(damage, run, monkeypatch, capsys):
    (run / "run.sqlite").write_bytes(DAMAGE[damage]((run / "run.sqlite").read_bytes()))
    require_refused(run, monkeypatch, capsys)


def altered(path, script):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"PRAGMA legacy_alter_table=ON; {script}")
        db.execute("PRAGMA journal_mode=DELETE")


@pytest.mark.parametrize("harm", HARM)
def test_a_file_that_holds_more_or_less_than_a_runs_tables_is_refused(harm, run, monkeypatch, capsys):
    altered(run / "run.sqlite", HARM[harm])
    require_refused(run, monkeypatch, capsys)
    for to in ("read", "write", "make"):
        with pytest.raises(
            InputError, match="holds other tables, views or triggers than a run's; the file that an audit wrote"
        ):
            Store(run / "run.sqlite", to=to)


@pytest.mark.parametrize("odd", ODD)
def test_values_that_no_audit_writes_are_told_in_one_line(odd, run, monkeypatch, capsys):
    altered(run / "run.sqlite", ODD[odd])
    if "judge" not in odd:  # a page reads no word of a judge
        code, line = said(monkeypatch, capsys, "report", run, "-o", run.parent / "page.html")
        assert (code, line.count("\n")) == (2, 1) and "run.sqlite: " in line
    with pytest.raises(InputError, match=r"run.sqlite: "), Store(run / "run.sqlite") as store:
        list(store.answers(1)), store.judges()


def test_a_tree_that_holds_one_page_many_times_is_not_walked(run):
    path = run / "run.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'answers'").fetchone()
    whole = bytearray(path.read_bytes())
    size, start = 4096, (root - 1) * 4096
    assert whole[start] == 5  # a table's inner page
    cells = int.from_bytes(whole[start + 3 : start + 5])
    first = int.from_bytes(whole[start + 12 : start + 14])
    for n in range(1, cells):
        at = int.from_bytes(whole[start + 12 + 2 * n : start + 14 + 2 * n])
        whole[start + at : start + at + 4] = whole[start + first : start + first + 4]
    assert cells > 1 and len(whole) % size == 0
    path.write_bytes(whole)
    with pytest.raises(InputError, match="cannot be used"):
        Store(path)


@contextmanager
def unwritable(folder):
    """A folder, and those above it to the first of this machine, that this process may read and not write; root is
    somebody else for the while."""
    for path in folder.rglob("*"):
        path.chmod(0o444)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_run_that_cannot_be_written_is_read(run):
    with Store(run / "run.sqlite") as store:
        whole = list(store.answers(1))
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        folder = Path(above) / "run"
        folder.mkdir()
        (folder / "run.sqlite").write_bytes((run / "run.sqlite").read_bytes())
        with unwritable(folder):
            with Store(folder / "run.sqlite") as store:
                assert list(store.answers(1)) == whole and store.judge({"kind": "unknown"}) == 0
            with pytest.raises(InputError, match=r"run.sqlite: cannot be used"):
                Store(folder / "run.sqlite", to="write")
        assert [path.name for path in folder.iterdir()] == ["run.sqlite"]
        # one that was killed: what it wrote last stands beside the file
        writer = sqlite3.connect(folder / "run.sqlite")
        writer.execute("DELETE FROM answers WHERE id = 1")
        writer.commit()
        (folder / "copy").write_bytes((folder / "run.sqlite-wal").read_bytes())
        writer.close()
        (folder / "copy").rename(folder / "run.sqlite-wal")
        with (
            unwritable(folder),
            pytest.raises(
                InputError,
                match=r"run.sqlite-wal holds a part of it; copy the run's "
                r"folder, and read the copy",
            ),
        ):
            Store(folder / "run.sqlite")


def test_a_page_about_a_run_that_cannot_be_written(run, tmp_path, monkeypatch, capsys):
    real = stores._connected

    def connected(path, how="mode=rwc", **more):
        if "immutable" not in how:
            raise sqlite3.OperationalError("unable to open database file")
        return real(path, how, **more)

    monkeypatch.setattr(stores, "_connected", connected)
    before = {path: path.read_bytes() for path in run.iterdir()}
    code, _ = said(monkeypatch, capsys, "report", run, "-o", tmp_path / "elsewhere" / "page.html")
    assert code == 0 and "Undertow audits" in (tmp_path / "elsewhere" / "page.html").read_text()
    assert said(monkeypatch, capsys, "compare", run, run)[0] == 3
    assert {path: path.read_bytes() for path in run.iterdir()} == before


STARTER = """
import os, sys
import undertow.door, undertow.reports
from undertow.cli.main import main
run, *folders = sys.argv[1:]
children = []
for folder in folders:
    if not (child := os.fork()):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv[1:] = ["report", run, "-o", folder + "/page.html"]
        main()
    children.append(child)
print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""
"""Pages by as many processes at once, forked from one that has imported what they need."""


@pytest.mark.slow
def test_many_pages_about_one_run_at_once(run, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(run), *(str(tmp_path / f"{n}") for n in range(6))],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        out, error = starter.communicate(timeout=120)
    assert (starter.returncode, out.split(), error) == (0, ["0"] * 6, "")
    assert all((tmp_path / f"{n}" / "page.html").is_file() for n in range(6))
    assert sorted(path.name for path in run.iterdir()) == ["findings.json", "plan.json", "run.sqlite"]


def test_a_run_that_is_worked_on_is_not_judged_again(run, monkeypatch, capsys):
    (run.parent / "judge.yaml").write_text("kind: scripted")
    with alone(run):
        code, line = said(monkeypatch, capsys, "rejudge", run, "--judge", run.parent / "judge.yaml")
    assert (code, line) == (2, f"undertow: {run}: is being worked on by another process; wait for it\n")


KEYS = ("config", "judge", "targets", "suite", "contexts", "samples", "rule", "material", "seed", "beside")
PLANS = {
    "as it was": ("more", 1),
    "nothing": "",
    "no JSON": "{",
    "null": "null",
    "a list": "[]",
    "an empty object": "{}",
    "nested": "[" * 100_000,
    **{f"{key}: {value}": (key, value) for key in KEYS for value in (None, 5, "x", [], {})},
    "no suite": ("suite", ...),
    "a context that is none": ("contexts", [{"id": 3}]),
    "found by nobody": ("found", {"questions": 3}),
    "looks": ("looks", "x"),
    "answered_by": ("answered_by", 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_that_no_run_wrote_is_told_in_one_line(plan, run, monkeypatch, capsys):
    path, held = run / "plan.json", PLANS[plan]
    if isinstance(held, tuple):
        whole = json.loads(path.read_text())
        key, value = held
        held = json.dumps({k: v for k, v in (whole | {key: value}).items() if v is not ...})
    path.write_text(held)
    (run.parent / "judge.yaml").write_text("kind: scripted")
    before = {file: file.read_bytes() for file in run.iterdir()}
    commands = (
        *(
            ["audit", run, "--resume"],
            ["report", run, "-o", run.parent / "page.html"],
            ["compare", run, run],
            ["rescore", run, "--rule", "undertow"],
        ),
        *(["rejudge", run, "--judge", run.parent / "judge.yaml"], ["persona", run, "--resume"]),
    )
    told = [said(monkeypatch, capsys, *command) for command in commands]
    if plan == "as it was":
        assert [code for code, _ in told] == [3, 0, 3, 3, 3, 2] and "holds no persona's plan" in told[-1][1]
    elif plan in (
        "judge: {}",
        "beside: x",
        "material: 5",
        "seed: 5",
        "targets: {}",
        "contexts: []",
        "no suite",
    ):  # what a run might hold
        assert all(code in (0, 2, 3, 4) and (code != 2 or line.count("\n") == 1) for code, line in told), told
    else:
        assert all((code, line.count("\n")) == (2, 1) for code, line in told), told
        assert {file: file.read_bytes() for file in run.iterdir()} == before


@pytest.mark.parametrize("value", [..., None, 5, "x", [], {}])
@pytest.mark.parametrize(
    "key", ["schema", "name", "verdict", "contexts", "rule", "judge", "samples", "looks", "answers"]
)
def test_findings_that_no_audit_wrote_are_told_in_one_line(key, value, run, monkeypatch, capsys):
    path = run / "findings.json"
    whole = json.loads(path.read_text()) | {key: value}
    path.write_text(json.dumps({k: v for k, v in whole.items() if v is not ...}))
    fits = (key, value) in (("name", "x"), ("answers", 5), ("judge", {}), ("samples", {}), ("looks", []))
    for command in (
        ["report", run, "-o", run.parent / "page.html"],
        ["compare", run, run],
        ["rescore", run, "--rule", "undertow"],
    ):
        code, line = said(monkeypatch, capsys, *command)
        assert (code, line.count("\n")) == (2, 1) or (fits and code in (0, 3, 4)), (command, line)
