"""What an executor is: whoever has the cells of a study worked on. What is done there it is handed.

A cell's work is safe to begin again and to begin twice (studies/work.py), so an executor need only see that each is
begun until it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from undertow.progress import Progress

Tell = Callable[[Path], Progress]
"""Gives for a cell's folder who is told how far its work is."""


class Work(Protocol):
    """A function of a module, since a process of its own fetches it by name."""

    def __call__(self, cell: Path, /, *, progress: Progress | None = None) -> None:
        """Do what of a cell is not done, and leave `result.json` or `failure.json` in its folder."""
        ...


class Executor(Protocol):
    """Has cells worked on."""

    @property
    def kind(self) -> str:
        """What a study calls it."""
        ...

    def run(self, cells: Sequence[Path], work: Work, *, tell: Tell) -> Iterator[Path]:
        """Have every cell worked on, and yield its folder when it has ended: it then holds `result.json` or
        `failure.json`.

        A worker that is lost costs its cell, which is begun again, at most as often as the executor allows. Closed or
        interrupted, nothing is left running.

        Raises:
            InputError: the executor cannot be used; nothing was begun.
        """
        ...


def lost(times: int, how: str) -> str:
    """The reason of a cell that was given up."""
    return f"its worker was lost {times} time{'s' if times > 1 else ''} ({how})"
