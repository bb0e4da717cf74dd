"""`undertow report`: finished runs in, one page out."""

from __future__ import annotations

from pathlib import Path

import click

from undertow.persona.run import read_personas
from undertow.reports import write_persona_report, write_report
from undertow.reports.runs import read_run


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The page. Default: RUN/report.html for one run, report.html for several.",
)
def report(runs: tuple[Path, ...], out: Path | None) -> None:
    """Write one self-contained page about RUNS, and PNG figures beside it.

    RUNS are of audits; one of a persona profile alone gets its own page again (several: undertow persona RUN RUN -o
    PAGE).
    """
    if len(runs) == 1 and out is None:
        (run,) = runs
        if (run / "persona.json").is_file():
            page, *_ = write_persona_report([read_personas(run)], run / "persona.html")
        else:
            page = write_run_report(run)
        click.echo(f"report: {page}")
        return
    page = out or Path("report.html")
    write_report([read_run(run) for run in runs], page, title="Undertow audits")
    click.echo(f"report: {page}")


def write_run_report(run: Path) -> Path:
    """Write a run's own page and return its path."""
    page = run / "report.html"
    view = read_run(run)
    write_report([view], page, title=f"Undertow audit: {view.name}")
    return page
