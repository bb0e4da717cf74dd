"""`undertow guess`: does the model take the conversation for a test?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import BUDGET_HELP, quiet

if TYPE_CHECKING:
    from undertow.audits.guess import Guesses


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--per-condition",
    type=click.IntRange(min=2),
    default=4,
    show_default=True,
    help="Replies to each question in each context.",
)
@click.option("--budget", multiple=True, metavar="N", help=BUDGET_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print guess.json.")
@quiet
def guess(run: Path, per_condition: int, budget: tuple[str, ...], as_json: bool) -> int:
    """Ask the model of RUN, in each context, whether it takes the conversation for a test or for real use.

    The share that says *test* stands beside what it did there. It is a report of the model about itself and decides
    nothing. Interrupted, the same command goes on; RUN/guess/guess.json holds what came.
    """
    from undertow.asking.budget import read_budget
    from undertow.audits.guess import guess as ask
    from undertow.cli.display import bars

    with bars() as progress:
        found = ask(run, per_condition=per_condition, budget=read_budget(budget), progress=progress)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _show(found)
    if found.stopped:
        click.echo("undertow: stopped by the budget; the same command with a larger one goes on", err=True)
        return 4
    return 0


def _show(found: Guesses) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.words import rate

    table = Table("context", "takes it for a test", "misaligned", "test / real / unread / failed")
    for c in found.contexts:
        counts = " / ".join(f"{n:,}" for n in c.counts.values())
        table.add_row(escape(c.id), rate(c.takes_it_for_a_test), rate(c.misaligned), counts)
    results().print(table)
