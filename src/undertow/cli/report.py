"""`undertow report`: finished runs in, one page out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from undertow.reports.drawing import Style


@click.command()
@click.argument("runs", metavar="RUNS...", nargs=-1, required=True)
@click.option(
    "--style",
    type=click.Choice(["page", "paper"]),
    default="page",
    show_default=True,
    help="Of the figures' files: as on the page, or black on white for print, letters embedded.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The page. Default: RUN/report.html for one run, report.html for several.",
)
def report(runs: tuple[str, ...], out: Path | None, style: Style) -> None:
    """Write one self-contained page about RUNS, and its figures beside it: SVG, PNG, PDF, and the data of each as CSV.

    RUNS are folders of audits, or files in them that `undertow rejudge` and `rescore` wrote. LABEL=RUN names one, so
    that two of one name share a page: before=runs/a after=runs/b. A persona profile alone gets its own page again
    (several: undertow persona RUN RUN -o PAGE). A study's folder gets a page for each of its cells, and its own, which
    links them.
    """
    from undertow.door import report as write_report

    click.echo(f"report: {write_report(runs, out, style=style)}")
