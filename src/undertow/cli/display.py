"""What commands show while they work, and how they write rates."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from pydantic import BaseModel
from rich import table
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from undertow.cli.options import QUIET
from undertow.keys import Keys
from undertow.keys import Table as KeyTable
from undertow.progress import Progress as Told

console = Console(stderr=True)
"""Progress goes to standard error, results to standard output."""

ENDLESS = 1_000_000
"""Columns of a pipe or a file."""


def results() -> Console:
    """Standard output: as wide as the terminal, which folds lines; a pipe or a file is as wide as what is written,
    unless COLUMNS says otherwise."""
    out = Console()
    if not out.is_terminal and not os.environ.get("COLUMNS"):
        out.width = ENDLESS
    return out


class Table(table.Table):
    """A table that cuts nothing: where it does not fit its widest columns are folded, between words as long as these
    fit, and then within."""

    def add_column(self, header: Any = "", *args: Any, **options: Any) -> None:
        super().add_column(header, *args, overflow="fold", **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - 3 * len(self.columns) - 1  # two spaces and a line each
        endless = options.update(max_width=ENDLESS)
        sizes = [
            [Measurement.get(console, endless, cell) for cell in (column.header, *column.cells)]
            for column in self.columns
        ]
        words, lines = ([max(1, *(size[which] for size in column)) for column in sizes] for which in (0, 1))
        if sum(lines) > room:
            for column, width in zip(
                self.columns,
                _levelled(words, lines, room) if sum(words) <= room else _levelled([1] * len(words), words, room),
                strict=True,
            ):
                column.width = width
        yield from super().__rich_console__(console, options)


def _levelled(least: list[int], most: list[int], room: int) -> list[int]:
    """Widths between two, those that are cut down all alike, and as wide as there is room."""
    cut = ([min(m, max(n, level)) for n, m in zip(least, most, strict=True)] for level in range(max(most), 0, -1))
    return next((widths for widths in cut if sum(widths) <= room), least)


class Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")


WHOLE = "cells"
"""What the bar about all cells of a study is called."""


class PerHour(ProgressColumn):
    """Cells an hour, of all of them."""

    def render(self, task: Task) -> Text:
        return Text(
            f"{3600 * task.completed / task.elapsed:,.0f}/h"
            if task.completed and task.elapsed and task.description == WHOLE
            else "",
            style="dim",
        )


class Bars:
    """One bar a stage, made when the stage first reports; of what is done under a name, one bar for all its stages."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, Any] = {}

    def __call__(self, stage: str, done: int, total: int, word: str) -> None:
        self._show(stage, stage, done, total, word)

    def of(self, name: str) -> Told:
        """Who is told of what is done under a name."""
        return lambda stage, *how_far: self._show(name, escape(f"{name}: {stage}"), *how_far)

    def end(self, name: str) -> None:
        """Take its bar away."""
        if name in self.tasks:
            self.progress.remove_task(self.tasks.pop(name))

    def _show(self, bar: str, said: str, done: int, total: int, word: str) -> None:
        if bar not in self.tasks:
            self.tasks[bar] = self.progress.add_task(said, total=total, word="")
        self.progress.update(self.tasks[bar], description=said, completed=done, total=total, word=word)


EVERY = 30.0
"""Seconds between two lines about work that no terminal watches."""


@dataclass
class _Stage:
    began: float
    first: int
    """How much was done when it was first heard of: what a run that goes on found there."""
    done: int
    total: int
    word: str
    foreseen: bool = True
    """Whether its total is what it was at first: else nobody knows how long it takes."""


class Lines:
    """What bars show, where there is no terminal: a line about each stage that is under way, every half minute,
    whether it came any further or not. Work that is shorter says nothing."""

    def __init__(self, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self.every, self.clock = every, clock
        self.stages: dict[str, _Stage] = {}
        self._lock, self._over = threading.Lock(), threading.Event()

    def __enter__(self) -> Lines:
        self._teller = threading.Thread(target=self._tell, name="progress", daemon=True)
        self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._teller.join()

    def __call__(self, stage: str, done: int, total: int, word: str) -> None:
        with self._lock:
            held = self.stages.setdefault(stage, _Stage(self.clock(), done, done, total, word))
            held.foreseen = held.foreseen and total == held.total
            held.done, held.total, held.word = done, total, word

    def of(self, name: str) -> Told:
        """Who is told of what is done under a name."""
        return lambda stage, *how_far: self(f"{name}: {stage}", *how_far)

    def end(self, name: str) -> None:
        """Say no more of it."""
        with self._lock:
            self.stages = {stage: held for stage, held in self.stages.items() if not stage.startswith(f"{name}: ")}

    def lines(self) -> list[str]:
        """One about each stage that is not at its end."""
        with self._lock:
            return [self._line(stage, held) for stage, held in self.stages.items() if held.done < held.total]

    def _line(self, stage: str, held: _Stage) -> str:
        seconds = self.clock() - held.began
        rate = (held.done - held.first) / seconds if seconds > 0 else 0.0
        left = f", about {_time((held.total - held.done) / rate)} left" if rate and held.foreseen else ""
        speed = f", {rate:,.3g}/s" if rate >= 0.1 else f", {3600 * rate:,.3g}/h" if rate else ""
        word = f"; {held.word}" if held.word else ""
        return f"{stage}: {held.done:,} of {held.total:,}{speed}{left}{word}"

    def _tell(self) -> None:
        while not self._over.wait(self.every):
            for line in self.lines():
                console.print(line, markup=False, highlight=False, soft_wrap=True)


def _time(seconds: float) -> str:
    """A duration as one says it: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class Nothing:
    """Shows nothing."""

    def __call__(self, stage: str, done: int, total: int, word: str) -> None: ...

    def of(self, name: str) -> Told:
        return self

    def end(self, name: str) -> None: ...


STAGES = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    Rate(),
    TimeRemainingColumn(),
    TextColumn("[dim]{task.fields[word]}"),
)


@contextmanager
def bars(columns: Sequence[ProgressColumn] = STAGES, **how: Any) -> Iterator[Bars | Lines | Nothing]:
    """How far work is: bars with rate, time left and a word more; lines where there is no terminal; with `--quiet`,
    nothing."""
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(QUIET):
        yield Nothing()
    elif console.is_terminal:
        with Progress(*columns, console=console, **how) as progress:
            yield Bars(progress)
    else:
        with Lines() as lines:
            yield lines


def explain(type_: type[BaseModel], *, as_json: bool) -> None:
    """Print every key that a file takes: as tables, or as JSON Schema."""
    schema = type_.model_json_schema()
    if as_json:
        click.echo(json.dumps(schema, indent=2))
        return
    out = results()
    for n, place in enumerate(Keys(schema).tables()):
        shown = Table("key", "takes", "explanation", title=_heading(place), title_justify="left")
        for key in place.keys:
            told = "; required" if key.required else f"; default: {key.default}" if key.default else ""
            shown.add_row("  " * key.depth + key.name, f"{key.takes}{told}", key.explanation)
        out.print(*[""] * bool(n), shown, sep="\n", markup=False)


def _heading(place: KeyTable) -> str:
    of_kind = f" of kind {place.kind}" if place.kind else ""
    return f"{', '.join(place.at)}{of_kind}: {place.explanation}" if place.at else place.explanation
