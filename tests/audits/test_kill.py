"""`kill -9` at ten random moments of an audit, with `--resume` after each: nothing is lost, repeated, or paid for twice
beyond what was under way."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from undertow.audits import AuditConfig, make_plan, run_audit

STARTER = """
import os, sys
import undertow.whole
from undertow.cli import main
for line in sys.stdin:
    if not (child := os.fork()):
        os.dup2(2, 1)
        sys.argv[1:] = line.split()
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Runs the command line in a process of its own for each line that it reads; it imports once, for importing would take
most of the test's time."""

KILLS = 10
UNWRITTEN_S = 0.1
"""Seconds that a row waits to be written, at most, while its process has a processor."""
SLACK_S = 0.3
"""More of them on a machine that has none to spare."""


def kept(run):
    """Every answer with its judgement, without the ids, which follow the order in which answers came."""
    with closing(sqlite3.connect(run / "run.sqlite")) as db:
        return db.execute(
            "SELECT subject, context, question, sample, seed, text, reasoning, finish, a.prompt_tokens, "
            "a.n_tokens, a.error,"
            " alignment, coherence, content, said, asked, drawn, unread, j.error, calls, j.prompt_tokens, "
            "j.n_tokens, raw"
            " FROM answers a LEFT JOIN judgements j ON j.answer = a.id ORDER BY 1, 2, 3, 4"
        ).fetchall()


def stored_calls(run, beside):
    """Calls whose results are stored; read from a copy, so that nothing is tidied up before `--resume` finds it."""
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    for path in run.glob("run.sqlite*"):
        shutil.copy(path, beside)
    if not (beside / "run.sqlite").exists():
        return 0
    with closing(sqlite3.connect(beside / "run.sqlite")) as db:
        if not db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'judgements'").fetchone()[0]:
            return 0
        return sum(
            db.execute(query).fetchone()[0]
            for query in ("SELECT COUNT(*) FROM answers", "SELECT COALESCE(SUM(calls), 0) FROM judgements")
        )


@pytest.fixture
def start(tmp_path):
    """Starts `undertow` with arguments; gives its process id and a function that waits for its exit code."""
    with (tmp_path / "errors").open("w") as errors:
        starter = subprocess.Popen(
            [sys.executable, "-c", STARTER],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

    def begin(*args):
        print(*args, file=starter.stdin, flush=True)
        return int(starter.stdout.readline()), lambda: int(starter.stdout.readline())

    with starter:
        yield begin


@pytest.mark.slow
@pytest.mark.usefixtures("over_sockets")
def test_kill_9_ten_times(serve, start, tmp_path):
    server = serve(latency_s=0.03)
    config = server.audit(samples={"per_condition": 70}, target={"concurrency": 4}, judge={"concurrency": 4})
    (tmp_path / "audit.yaml").write_text(json.dumps(config))
    wide = {role: {**config[role], "concurrency": 64} for role in ("target", "judge")}
    plan = make_plan(AuditConfig(**{**config, **wide}))
    whole = run_audit(plan, tmp_path / "whole").as_json()
    least = len(server.calls)
    assert least == whole["calls"] > 1120

    rng, run = random.Random(9), tmp_path / "runs" / "run"
    server.calls.clear()
    seen, stored, paid_twice, telling = 0, 0, 0, 0
    for kill in range(KILLS):
        process, exit_code = start("audit", "audit.yaml", *["--resume"] * bool(kill))
        began_s = time.monotonic()
        while kill % 4 != 3 and len(server.calls) == seen:  # every fourth is killed while it starts
            assert time.monotonic() < began_s + 30, (tmp_path / "errors").read_text()
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1 if kill % 4 == 3 else 1.3))
        os.kill(process, signal.SIGKILL)
        killed_s = time.monotonic()
        assert exit_code() == -signal.SIGKILL, (tmp_path / "errors").read_text()
        calls, before = server.calls[seen:], stored
        stored = stored_calls(run, tmp_path / "copy")
        seen += len(calls)
        lost = len(calls) - (stored - before)
        late = [call for call in calls if call.left_s is None or call.left_s > killed_s - UNWRITTEN_S - SLACK_S]
        print(f"kill {kill}: {len(calls)} calls, {len(late)} of them late, {lost} lost")
        assert 0 <= lost <= len(late)
        paid_twice += lost
        telling += len(late) < len(calls)
        assert not (run / "findings.json").exists()
    assert telling >= 2, "some lived for longer than a row waits"
    assert 0 < stored < least, "the kills landed in the middle"

    assert run_audit(plan, run, resume=True).as_json() == whole
    assert kept(run) == kept(tmp_path / "whole")
    assert len({row[:4] for row in kept(run)}) == len(kept(run)) == 1120
    # those that the last kill left in a socket: no more than were in flight
    assert 0 <= len(server.calls) - least - paid_twice <= 4 + 4
