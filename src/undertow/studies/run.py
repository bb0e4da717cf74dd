"""Running a study: the cells that are not done, by an executor, each told as it ends; then the results of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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


def unfinished(grid: Grid, out: Path) -> dict[Path, Cell]:
    """Cells that are not done in a study's folder, by their own: those that were never tried, and those that failed."""
    return {out / cell.folder: cell for cell in grid.cells if state(out / cell.folder) != "done"}


def work_through(
    cells: Mapping[Path, Cell], executor: Executor, *, watch: Watch | None = None
) -> Iterator[tuple[Path, Cell]]:
    """Have cells worked on, be they of one study or of several; yields each as it ends, done or failed, with its
    folder. One that fails stops no other.

    Raises:
        InputError: the executor cannot be used.
    """
    tell = (lambda path: watch(cells[path])) if watch else (lambda path: silent)
    for path in executor.run(list(cells), work, tell=tell):
        yield path, cells[path]


def run_study(grid: Grid, out: Path, executor: Executor | None = None, *, watch: Watch | None = None) -> dict[str, Any]:
    """Work through a study that is laid out, write its results and return them. Interrupted, the same call goes on.

    Args:
        executor: who works; the study's own by default.

    Raises:
        InputError: as `work_through`.
    """
    for _ in work_through(unfinished(grid, out), executor or grid.study.executor, watch=watch):
        pass
    found = gather(grid, out)
    write_results(found, out)
    return found
