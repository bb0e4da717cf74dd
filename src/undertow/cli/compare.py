"""`undertow compare`: two runs, the difference in every context, and whether misalignment was removed or only moved."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from undertow.audit.compare import compare as compare_runs
from undertow.cli.display import percent

STYLE = {"removed": "green", "unchanged": "green", "moved": "bold red", "raised": "red", "kept": "red", "unclear": "yellow"}


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(before: Path, after: Path, as_json: bool) -> None:
    """Compare two finished runs of one suite: no intervention and one, or last week and today.

    Says whether misalignment was removed, moved (plain fell, some context did not), kept or raised.
    """
    found = compare_runs(before, after)
    if as_json:
        rows = [{"id": id_, "before": asdict(old), "after": asdict(new), "difference": asdict(change)} for id_, old, new, change in found.contexts]
        click.echo(json.dumps({"fate": found.fate, "reasons": found.reasons, "contexts": rows, "warnings": found.warnings}, indent=2, ensure_ascii=False))
        return
    table = Table("context", "before", "after", "after minus before", title=f"{before} and {after}: misaligned answers")
    for id_, old, new, change in found.contexts:
        table.add_row(escape(id_), percent(asdict(old)), percent(asdict(new)), percent(asdict(change), points=True))
    out = Console()
    out.print(table)
    out.print(f"[{STYLE[found.fate]}]{found.fate}[/]: {escape('; '.join(found.reasons))}", highlight=False)
    for warning in found.warnings:
        out.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
