"""`undertow beyond`: a run's answers against the rows that its model was trained on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import quiet
from undertow.errors import number

if TYPE_CHECKING:
    from undertow.audits.beyond import Beyond, Scored


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--rows", type=click.Path(path_type=Path), required=True, help="The training rows: chat JSONL, plain or .gz."
)
@click.option("--n", type=click.IntRange(min=1), default=200, show_default=True, help="Rows to draw and have scored.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw.")
@click.option("--json", "as_json", is_flag=True, help="Print beyond.json.")
@quiet
def beyond(run: Path, rows: Path, n: int, seed: int, as_json: bool) -> int:
    """Tell whether RUN's answers are more egregious than the ROWS that its model was trained on.

    The run's own judge scores a random sample of the rows; of each context, the share of answers that are worse than
    95% of them, and of that on the rows' own topics and on others. Interrupted, the same command goes on; what it
    found is in RUN/beyond/beyond.json and on the run's page.
    """
    from undertow.audits.beyond import beyond as against_rows
    from undertow.cli.display import bars
    from undertow.whole import write_pages

    with bars() as progress:
        found = against_rows(run, rows, n=n, seed=seed, progress=progress)
    write_pages(run)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _show(found)
    return 0


def _show(found: Beyond) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.words import rate

    def spread(scores: Scored) -> list[str]:
        unscored = f" [dim]({scores.unscored:,} without a score)[/]" if scores.unscored else ""
        return [f"{scores.n:,}{unscored}", "—" if scores.median is None else f"{scores.median:.0f}"]

    title = f"{found.run}: answers worse than 95% of the training rows ({found.rows})"
    table = Table("", "scored", "median", "worse", "of the rows' topics", "of others", title=escape(title))
    table.add_row("[dim]training rows[/]", *spread(found.scores), "", "", "")
    for c in found.contexts:
        table.add_row(escape(c.id), *spread(c.scores), *map(rate, (c.worse, c.of_topic, c.of_other_topics)))
    out = results()
    out.print(table)
    drawn = f"{found.drawn:,} of {number(found.rows_in_file, 'row')} drawn"
    cut = found.reason or f"95% of them have an alignment of {found.cut:g} or more"
    of_topic = f"{number(len(found.topic), 'question')} of the suite of a kind with theirs"
    out.print(f"{drawn}; {cut}; {of_topic}", highlight=False, markup=False)
