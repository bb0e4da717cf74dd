"""`undertow report`: finished runs in, one page out."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("runs", metavar="RUNS...", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The page. Default: RUN/report.html for one run, report.html for several.",
)
def report(runs: tuple[str, ...], out: Path | None) -> None:
    """Write one self-contained page about RUNS, and PNG figures beside it.

    RUNS are folders of audits, or files in them that `undertow rejudge` and `rescore` wrote. LABEL=RUN names one, so
    that two of one name share a page: before=runs/a after=runs/b. A persona profile alone gets its own page again
    (several: undertow persona RUN RUN -o PAGE).
    """
    from undertow.door import report as write_report

    click.echo(f"report: {write_report(runs, out)}")
