"""Ctrl-C, as a terminal sends it, in the middle of an audit; then `--resume`."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

COMMAND = [sys.executable, "-c", "from undertow.cli import main; main()", "audit", "audit.yaml", "--json"]
AUDIT = """\
name: long
target: {kind: scripted, script: planted.yaml}
judge: {kind: scripted}
suite: nursery
contexts: [plain, format-code]
samples: {per_condition: 600}
"""


def hears_ctrl_c():
    """As in a terminal: a shell starts background jobs deaf to it, and they hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def answers(run):
    with closing(sqlite3.connect(run / "run.sqlite")) as db:
        return db.execute(
            "SELECT subject, context, question, sample, seed, text FROM answers ORDER BY 1, 2, 3, 4"
        ).fetchall()


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_written_and_resume_completes_it(tmp_path, here):
    (tmp_path / "audit.yaml").write_text(AUDIT)
    (tmp_path / "planted.yaml").write_text("default: {misaligned: 0.2}")
    process = subprocess.Popen(
        COMMAND, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears_ctrl_c
    )
    run = tmp_path / "runs" / "long"
    while not (run / "run.sqlite-wal").exists() or (run / "run.sqlite-wal").stat().st_size < 200_000:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "add --resume to go on" in errors
    assert "Traceback" not in errors
    kept = answers(run)
    assert 0 < len(kept) < 9_600
    assert not (run / "findings.json").exists()

    code, again, errors = here("audit", "audit.yaml", "--json", "--resume")
    assert code == 3, errors
    assert json.loads(again)["verdict"]["class"] == "misaligned"
    finished = answers(run)
    assert len(finished) == 9_600
    assert set(kept) < set(finished)

    code, whole, _ = here("audit", "audit.yaml", "--json", "-o", "whole")
    assert code == 3
    assert answers(tmp_path / "whole") == finished
    assert json.loads(whole) == json.loads(again)
