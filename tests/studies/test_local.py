"""Processes on this machine: a killed one costs its cell, which is begun again; nothing outlives the study.

A process that waits for a cell's lock, which the test holds, can be killed at a known place.
"""

import json
import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from multiprocessing import active_children
from pathlib import Path

import pytest
from filelock import FileLock

from undertow.progress import silent
from undertow.studies.executors import LocalExecutor
from undertow.studies.outcome import outcome, state
from undertow.studies.work import work


def cells(tmp_path, n):
    """Folders whose `cell.json` is no cell, so that their work ends soon, in failure."""
    for i in range(n):
        (tmp_path / f"cell-{i}").mkdir()
        (tmp_path / f"cell-{i}" / "cell.json").write_text("{}")
    return [tmp_path / f"cell-{i}" for i in range(n)]


def nobody(cell):
    return silent


@contextmanager
def working(executor, folders):
    """The executor at work in a thread; gives the list that ended cells are added to."""
    ended = []
    thread = threading.Thread(target=lambda: ended.extend(executor.run(folders, work, tell=nobody)), daemon=True)
    thread.start()
    yield ended
    thread.join(60)
    assert not thread.is_alive()


def worker(cell, *, after=()):
    """The process whose output goes to a cell's log, once there is one that is not in `after`: it has come as far as
    the cell's lock."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it may end while it is looked at
                if (process / "fd" / "1").readlink() == cell / "log.txt" and int(process.name) not in after:
                    return int(process.name)
        time.sleep(0.05)
    pytest.fail("no process works on the cell")


@pytest.mark.slow
def test_every_cell_ends_a_few_at_a_time(tmp_path):
    folders = cells(tmp_path, 3)
    assert sorted(LocalExecutor(kind="local", processes=2).run(folders, work, tell=nobody)) == folders
    for folder in folders:
        assert state(folder) == "failed"
        assert "cell.json" in outcome(folder)["reason"]
    assert not active_children()


@pytest.mark.slow
def test_a_cell_whose_process_is_killed_is_begun_again(tmp_path):
    (folder,) = cells(tmp_path, 1)
    lock = FileLock(folder / ".lock", thread_local=False)
    with lock, working(LocalExecutor(kind="local"), [folder]) as ended:
        os.kill(killed := worker(folder), signal.SIGKILL)
        assert worker(folder, after=(killed,)) != killed
        assert state(folder) == "waiting"
        lock.release()
    assert ended == [folder]
    assert "cell.json" in outcome(folder)["reason"]  # what the second process found


@pytest.mark.slow
def test_a_cell_that_kills_every_process_is_given_up(tmp_path):
    (folder,) = cells(tmp_path, 1)
    with FileLock(folder / ".lock"), working(LocalExecutor(kind="local", retries=1), [folder]) as ended:
        os.kill(first := worker(folder), signal.SIGKILL)
        os.kill(worker(folder, after=(first,)), signal.SIGKILL)
    assert ended == [folder]
    assert outcome(folder)["reason"].startswith(
        "its worker was lost 2 times (killed, most often for want of memory; see "
    )


@pytest.mark.slow
def test_an_executor_that_is_closed_leaves_nothing_running(tmp_path):
    first, second = cells(tmp_path, 2)
    with FileLock(second / ".lock"):
        running = LocalExecutor(kind="local", processes=2).run([first, second], work, tell=nobody)
        assert next(running) == first
        running.close()
        assert not active_children()


BEGUN = """
from undertow.studies.executors import local
local.LOADED = []  # what it loads takes seconds, in which nothing happens that is looked at here
from undertow.cli.main import main; main()
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_ctrl_c_and_kill_end_every_process_and_the_same_command_goes_on(tmp_path, here, light, how, code):
    (tmp_path / "study.yaml").write_text(
        "name: s\ndomains: [{name: m, miniature: legal-advice, rows: 4, held_out: 2}]\n"
        "recipe: {base: nursery, stages: [{name: n, rows: 4, parts: [{data: bad.jsonl, share: 1}], "
        "learning_rate: 0.001}]}\n"
        "interventions: [{name: narrow}]\ncontrols: []\naudit: {judge: {kind: scripted}, suite: nursery, "
        "contexts: [plain], samples: {per_condition: 1}}\n"
    )
    command = ["study", "study.yaml", "-o", "out"]
    ended, said, _ = here(*command, "--dry-run", "--json")
    assert ended == 0
    plan = json.loads(said)
    assert (plan["to_do"]["cells"], plan["to_do"]["trainings"], plan["done"]) == (1, 1, 0)
    assert not (tmp_path / "out").exists()
    process = light(*command, code=BEGUN)
    while not (logs := list(tmp_path.glob("out/cells/*/log.txt"))):  # the cell's process is there
        assert process.poll() is None
        time.sleep(0.02)
    (folder,) = [log.parent for log in logs]
    of_it = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
    ).stdout.split()
    assert of_it
    process.send(how)
    ended, _, errors = process.ended(within=60)
    assert ended == code
    assert "Traceback" not in errors
    assert how == signal.SIGKILL or "the same command goes on" in errors
    until = time.monotonic() + 20
    while any(alive(int(pid)) for pid in of_it):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert state(folder) == "waiting"
