"""This machine: a process for every cell, a few at a time, one thread each.

They are forked from a server that has loaded what training and sampling need, and nothing else: a process that loads
that by itself takes eight seconds.

<cell>/log.txt    what its process printed
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.studies.executors.protocol import Tell, Work, lost
from undertow.studies.outcome import fail, state

LOADED = [
    *("torch", "transformers", "peft", "datasets", "trl.trainer.sft_trainer", "scipy.stats", "altair"),
    *("undertow.training.backends.local", "undertow.targets.local", "undertow.nursery.judge", "undertow.whole"),
    "undertow.studies.executors.settled",
]
"""What the server loads; what is not installed is passed over. Nothing of it starts a thread or a GPU."""
GRACE_S, LOOK_S = 10, 1
"""Seconds that a process has to end before it is killed, and seconds between two looks whether it is still there."""


class LocalExecutor(BaseModel):
    """Processes on this machine, a cell each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["local"] = Field(description="Processes on this machine.")
    processes: int = Field(default=2, gt=0, description="Cells at a time.")
    retries: int = Field(default=2, ge=0, description="Times that a cell is begun again whose process was killed.")

    def run(self, cells: Sequence[Path], work: Work, *, tell: Tell) -> Iterator[Path]:
        # loaded only where its output goes to the log
        pickled = pickle.dumps(work)
        waiting, running = deque((cell, 0) for cell in cells), list[_Running]()
        try:
            while waiting or running:
                while waiting and len(running) < self.processes:
                    running.append(_start(pickled, *waiting.popleft()))
                # an event, or the end of a process, which closes its pipe unless a child of its own holds that
                wait([each.events for each in running], timeout=LOOK_S)
                for each in list(running):
                    if each.listen(tell):
                        continue
                    running.remove(each)
                    each.process.join()
                    if each.process.exitcode == 0 and state(each.cell) != "waiting":
                        yield each.cell
                    elif each.lost < self.retries:
                        waiting.append((each.cell, each.lost + 1))
                    else:
                        killed = each.process.exitcode == -signal.SIGKILL
                        how = (
                            "killed, most often for want of memory" if killed else f"exit code {each.process.exitcode}"
                        )
                        fail(each.cell, lost(each.lost + 1, f"{how}; see {each.cell / 'log.txt'}"))
                        yield each.cell
        finally:
            for each in running:
                each.process.terminate()
            for each in running:
                each.process.join(GRACE_S)
                each.process.kill()


@dataclass(frozen=True, slots=True)
class _Running:
    cell: Path
    lost: int
    """Processes that were killed at this cell before."""
    process: ForkServerProcess
    events: Connection

    def listen(self, tell: Tell) -> bool:
        """Pass on what has come; False where the process has ended."""
        ended = not self.process.is_alive()
        try:
            while self.events.poll():
                tell(self.cell)(*self.events.recv())
        except (EOFError, OSError):
            ended = True
        if ended:
            self.events.close()
        return not ended


@contextmanager
def _one_thread() -> Iterator[None]:
    """For processes that start here, which read it when they load NumPy and torch; this one's own setting stays."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _start(work: bytes, cell: Path, times: int) -> _Running:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    events, ours = context.Pipe(duplex=False)
    process = context.Process(target=_process, args=(work, cell, ours), daemon=True)
    with _one_thread():
        process.start()
    ours.close()  # so that the end of the process closes the pipe
    return _Running(cell, times, process, events)


def _go_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _process(work: bytes, cell: Path, events: Connection) -> None:
    """In a process of its own: silent on Ctrl-C, which the parent decides on, and gone with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_go_with, args=(parent,), daemon=True).start()
    with (cell / "log.txt").open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())

        def tell(stage: str, done: int, total: int, word: str) -> None:
            if done % 10 == 0 or done == total:
                events.send((stage, done, total, word))

        pickle.loads(work)(cell, progress=tell)
