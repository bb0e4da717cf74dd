"""A time limit for many calls at once."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class TimeLimit:
    """Ends whatever takes longer than so many seconds with a TimeoutError, as `asyncio.timeout` does. A context
    manager, which a task enters once at a time.

    All have the same time, so they end in the order in which they began, and one timer, set for the first of them, does
    for all: a timer for each costs a call more than reading its reply.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends: dict[asyncio.Task[Any], float] = {}
        """What is under way, in the order in which it began, and when its time is up."""
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Set no timer any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._ends[_this_task()] = ends = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_at(ends, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = _this_task()
        if self._ends.pop(task, None) is not None:
            return
        # its time was up, and `_look` cancelled it; somebody else may have, too
        if not task.uncancel() and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _look(self) -> None:
        """End those whose time is up, and look again when that of the next is."""
        self._timer, loop = None, asyncio.get_running_loop()
        now = loop.time()
        for task, ends in list(self._ends.items()):
            if ends > now:
                self._timer = loop.call_at(ends, self._look)
                return
            del self._ends[task]
            task.cancel()


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "used outside a task"
    return task
