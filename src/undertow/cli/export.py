"""`undertow export`: a run's answers for other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from undertow.cli.options import quiet
from undertow.errors import InputError, shown
from undertow.records import FORMATS, OUTCOMES, ExportFormat

if TYPE_CHECKING:
    from undertow.exports import Exported, ExportedRun


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "format_", type=click.Choice(list(FORMATS)), help="Format. Default: what -o ends with.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file. Default: answers.parquet (.csv, .jsonl, .eval) in the run's folder; of several runs, here.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written, with the counts, as JSON.")
@quiet
def export(runs: tuple[Path, ...], format_: str | None, out: Path | None, force: bool, as_json: bool) -> None:
    """Write a row for each answer of each RUN: who was asked what and how, what came, how it was judged, and what
    became of it by the run's rule.

    Every answer is there, failed and refused ones too; a run that is not finished gives those that it has. Of persona
    runs, a row a reading. docs/export.md tells the columns.
    """
    from undertow.cli.display import bars
    from undertow.exports import export as write

    chosen = cast(ExportFormat, format_ or _by_ending(out))
    with bars() as progress:
        written = write(runs, chosen, out, force=force, progress=progress)
    if as_json:
        click.echo(json.dumps(written.as_json(), indent=2, ensure_ascii=False))
    else:
        _tell(written)


def _by_ending(out: Path | None) -> str:
    """The format that a file's name ends with.

    Raises:
        InputError: it ends with none, or there is no name.
    """
    found = next((name for name, ending in FORMATS.items() if out and out.suffix.lower() == ending), None)
    if found is None:
        raise InputError("--to", "is missing", expected=f"one of {', '.join(FORMATS)}", do="name the format")
    return found


def _tell(written: Exported) -> None:
    from undertow.cli.display import results
    from undertow.words import plainly

    for run in written.runs:
        results().print(_counts(run))
        others = ", ".join(f"{n:,} {plainly(outcome)}" for outcome, n in run.uncounted.items())
        if others:
            click.echo(f"rows that the counts leave out (the reference's, or a search's): {others}")
        if run.agrees:
            click.echo("these are the counts of findings.json")
        for note in run.notes:
            click.echo(f"note: {note}")
    click.echo(f"{written.rows:,} rows ({written.schema}): {written.path}")


def _counts(run: ExportedRun) -> object:
    """Rows by context and outcome."""
    from rich.markup import escape

    from undertow.cli.display import Table
    from undertow.words import plainly

    there = {outcome for of in run.counted.values() for outcome in of}
    outcomes = [*(o for o in OUTCOMES if o in there), *sorted(there - set(OUTCOMES))]
    table = Table(title=escape(shown(f"{run.run}: rows by context and outcome")))
    for name in ("context", *(plainly(outcome) for outcome in outcomes), "all"):
        table.add_column(name, justify="left" if name == "context" else "right")
    for context, of in run.counted.items():
        table.add_row(escape(shown(context)), *(f"{of.get(o, 0):,}" for o in outcomes), f"{sum(of.values()):,}")
    return table
