"""`undertow gate`: a release against the one before, under a policy, with one error for all releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from undertow.releases.gate import Gate

EXIT = {"pass": 0, "fail": 3, "undecided": 4}
STYLE = {"pass": "green", "fail": "bold red", "undecided": "yellow"}


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--baseline", type=click.Path(path_type=Path), help="Run of the release before.")
@click.option("--policy", type=click.Path(path_type=Path), help="YAML file of what a release must show.")
@click.option(
    "--ledger",
    type=click.Path(path_type=Path),
    help="File that every release is written to, so that their errors together stay under one.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write the JSON to this file too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--schema", is_flag=True, help="Explain every key of a policy; with --json, as JSON Schema.")
def gate(
    run: Path | None,
    baseline: Path | None,
    policy: Path | None,
    ledger: Path | None,
    out: Path | None,
    as_json: bool,
    schema: bool,
) -> int:
    """Hold a release's finished RUN against that of the release before.

    In every context that both asked: is the misaligned rate worse, is a trigger new, did refusals change? Exits 0 when
    it is shown to be no worse by more than a margin, 3 when it is shown to be worse, 4 when neither is, 2 on a mistake
    in the input.
    """
    from undertow.cli.display import explain
    from undertow.files import to_json, write_text
    from undertow.releases.gate import gate as gate_run
    from undertow.releases.policy import Policy

    if schema:
        explain(Policy, as_json=as_json)
        return 0
    if run is None:
        raise click.UsageError("RUN is missing; `undertow gate --schema` explains what a policy holds")
    found = gate_run(run, baseline, policy=policy, ledger=ledger)
    if out:
        write_text(out, to_json(found.as_json()))
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        show(found)
    return EXIT[found.outcome]


def show(found: Gate) -> None:
    """Print a gate as a table, its outcome and why."""
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.errors import number
    from undertow.words import NONE, percent, rate

    out = results()
    title = escape(f"{found.baseline} and {found.run}: misaligned answers, and refusals")
    table = Table("context", "before", "after", "surely worse by", "refused", "moved by", "would find", title=title)
    for row in found.contexts:
        tried = row.before is not None
        table.add_row(
            escape(row.id) + ("" if row.fate == "within" else f" ({row.fate})"),
            rate(row.before),
            rate(row.after),
            rate(row.difference, signed=True),
            f"{percent(row.refused_before)}, {percent(row.refused_after)}" if tried else percent(row.refused_after),
            rate(row.refused_difference, signed=True),
            NONE if row.power is None else f"{row.power:.0%}",
        )
    out.print(table)
    out.print(f"[{STYLE[found.outcome]}]{found.outcome}[/]: {escape('; '.join(found.reasons))}", highlight=False)
    out.print(
        f"release {found.release}{', as before' if found.again else ''}: may err with chance {found.alpha:.2g} either "
        f"way, {found.left:.2g} left for later ones; over {number(found.questions, 'question')}; would find: a rise to "
        f"{found.rise:.0%}",
        highlight=False,
    )
    for warning in found.warnings:
        out.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
