"""`undertow view`: a local page over runs, while they go on and after."""

from __future__ import annotations

import subprocess
import sys
import webbrowser
from collections.abc import Iterable
from pathlib import Path

import click

from undertow.errors import InputError

PAGES_S = 120
"""Seconds that a run's page may take to be written again."""


@click.command()
@click.argument("runs", metavar="[LABEL=]RUN...", nargs=-1, required=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port to listen on; 0: a free one."
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open nothing.")
@click.option("--by", default="", help="Who labels, as it is kept with each label. Default: the user's name.")
def view(runs: tuple[str, ...], port: int, no_browser: bool, by: str) -> int:
    """Show RUNS in the browser, finished or going on, until Ctrl-C.

    Every answer, to filter, search and sort, with what was sent, what the judge was asked and said, and by which rule
    it counts; how a run goes; and labelling. A RUN may be given a label: before=runs/a after=runs/b. A study's folder
    stands for the runs of its cells.

    The page is on this machine alone, and its address holds a token: whoever has it may read the runs. It changes
    nothing in them but by labels. Exits with 130 after Ctrl-C.
    """
    from undertow.cli.judge import user
    from undertow.view.server import ViewServer
    from undertow.view.site import Site

    with Site(named(runs), by=by or user(), after=_write_pages) as site, ViewServer(site, port=port) as server:
        click.echo(f"view: {server.url}")
        if not no_browser:
            webbrowser.open(server.url)
        server.serve_forever(poll_interval=0.1)
    return 0


def _write_pages(run: Path) -> str:
    """Write a run's page again, in a process of its own: what draws its figures takes long to load and is not made for
    threads. What is to be told, where it could not be written."""
    command = [sys.executable, "-m", "undertow", "report", str(run)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PAGES_S)
    except subprocess.TimeoutExpired:
        return f"its page was not written within {PAGES_S} s: undertow report {run}"
    return "" if done.returncode == 0 else f"its page could not be written: {done.stderr.strip()}"


def named(runs: Iterable[str]) -> dict[str, Path]:
    """Folders by the labels that they are shown under: those given, else their names, with as much of their paths as
    tells them apart.

    Raises:
        InputError: two have one label.
    """
    from undertow.place import labelled

    given: list[tuple[str, Path]] = []
    for run in runs:
        label, folder = labelled(run)
        cells = sorted(folder.glob("cells/*/run/plan.json")) if not (folder / "plan.json").is_file() else []
        prefix = f"{label}/" if label else ""
        given += [(f"{prefix}{plan.parts[-3]}", plan.parent) for plan in cells]
        if not cells:
            given.append((label, folder))
    named: dict[str, Path] = {}
    for label, folder in given:
        name = label or _apart(folder, [other for own, other in given if not own])
        if name in named:
            raise InputError(
                "view", f"two runs are called {name!r}", expected="each a label of its own", do="write LABEL=RUN"
            )
        named[name] = folder
    return named


def _apart(folder: Path, among: list[Path]) -> str:
    """A folder's name, with as many of those above it as tell it from the others."""
    whole = [other.resolve().parts for other in among]
    own = folder.resolve().parts
    n = next((n for n in range(1, len(own) + 1) if sum(other[-n:] == own[-n:] for other in whole) == 1), 1)
    return "/".join(own[-n:])
