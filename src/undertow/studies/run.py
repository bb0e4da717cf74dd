"""Running a study: the cells that are not done, by an executor, each told as it ends; then the results of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from undertow.progress import Progress, silent
from undertow.studies.cells import Cell, Grid
from undertow.studies.executors import Executor
from undertow.studies.outcome import state
from undertow.studies.results import gather, write_results
from undertow.studies.work import work

Watch = Callable[[Cell], Progress]
"""Gives for a cell who is told how far its work is."""


def unfinished(grid: Grid, out: Path) -> list[Cell]:
    """Cells that are not done in a study's folder: those that were never tried, and those that failed."""
    return [cell for cell in grid.cells if state(out / cell.folder) != "done"]


def work_through(
    grid: Grid, out: Path, executor: Executor | None = None, *, watch: Watch | None = None
) -> Iterator[Cell]:
    """Have every cell worked on that is not done; yields each as it ends, done or failed. One that fails stops no
    other.

    Args:
        executor: who works; the study's own by default.

    Raises:
        InputError: the executor cannot be used.
    """
    cells = {out / cell.folder: cell for cell in unfinished(grid, out)}
    tell = (lambda path: watch(cells[path])) if watch else (lambda path: silent)
    for path in (executor or grid.study.executor).run(list(cells), work, tell=tell):
        yield cells[path]


def run_study(grid: Grid, out: Path, executor: Executor | None = None, *, watch: Watch | None = None) -> dict[str, Any]:
    """Work through a study that is laid out, write its results and return them. Interrupted, the same call goes on.

    Raises:
        InputError: as `work_through`.
    """
    for _ in work_through(grid, out, executor, watch=watch):
        pass
    found = gather(grid, out)
    write_results(found, out)
    return found
