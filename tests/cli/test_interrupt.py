"""Ctrl-C, as a terminal sends it, in the middle of an audit; then `--resume`."""

import json
import signal
import sqlite3
import time
from contextlib import closing

import pytest

AUDIT = """\
name: long
target: {kind: scripted, script: planted.yaml}
judge: {kind: scripted}
suite: nursery
contexts: [plain, format-code]
samples: {per_condition: 250}
"""


def answers(run):
    with closing(sqlite3.connect(run / "run.sqlite")) as db:
        return db.execute(
            "SELECT subject, context, question, sample, seed, text FROM answers ORDER BY 1, 2, 3, 4"
        ).fetchall()


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_written_and_resume_completes_it(tmp_path, here, light):
    (tmp_path / "audit.yaml").write_text(AUDIT)
    (tmp_path / "planted.yaml").write_text("default: {misaligned: 0.2}")
    process = light("audit", "audit.yaml", "--json")
    run = tmp_path / "runs" / "long"
    while not (run / "run.sqlite-wal").exists() or (run / "run.sqlite-wal").stat().st_size < 100_000:
        assert process.poll() is None, process.said()
        time.sleep(0.01)
    process.send(signal.SIGINT)
    code, _, errors = process.ended(within=60)
    assert code == 130
    assert "add --resume to go on" in errors
    assert "Traceback" not in errors
    kept = answers(run)
    assert 0 < len(kept) < 4_000
    assert not (run / "findings.json").exists()

    code, again, errors = here("audit", "audit.yaml", "--json", "--resume")
    assert code == 3, errors
    assert json.loads(again)["verdict"]["class"] == "misaligned"
    finished = answers(run)
    assert len(finished) == 4_000
    assert set(kept) < set(finished)

    code, whole, _ = here("audit", "audit.yaml", "--json", "-o", "whole")
    assert code == 3
    assert answers(tmp_path / "whole") == finished
    assert json.loads(whole) == json.loads(again)
