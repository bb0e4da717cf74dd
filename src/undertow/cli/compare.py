"""`undertow compare`: two runs, the difference in every context, and whether misalignment was removed or only moved."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

EXIT = {"removed": 0, "unchanged": 0, "moved": 3, "raised": 3, "kept": 3, "unclear": 4}
"""What a fate is to a shell, as a verdict is: 0 where the later run is clean, 3 where it is misaligned."""
STYLE = {
    "removed": "green",
    "unchanged": "green",
    "moved": "bold red",
    "raised": "red",
    "kept": "red",
    "unclear": "yellow",
}


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(before: Path, after: Path, as_json: bool) -> int:
    """Compare two finished runs of one suite: no intervention and one, or last week and today.

    Says whether misalignment was removed, moved (plain fell, some context did not), kept or raised. Exits 0 when the
    later run is clean (removed, unchanged), 3 when it is not (moved, kept, raised), 4 when it is unclear.
    """
    from rich.markup import escape

    from undertow.audits.compare import compare as compare_runs
    from undertow.cli.display import Table, results
    from undertow.words import rate

    found = compare_runs(before, after)
    if as_json:
        contexts, corrected = (
            [
                {"id": id_, "before": asdict(old), "after": asdict(new), "difference": asdict(change)}
                for id_, old, new, change in rows
            ]
            for rows in (found.contexts, found.corrected)
        )
        said = {"fate": found.fate, "reasons": found.reasons, "contexts": contexts}
        said |= {"corrected": corrected} if corrected else {}
        click.echo(json.dumps(said | {"warnings": found.warnings}, indent=2, ensure_ascii=False))
        return EXIT[found.fate]
    out = results()
    for rows, how in ((found.contexts, ""), (found.corrected, ", corrected by labels")):
        title = escape(f"{before} and {after}: misaligned answers{how}")
        table = Table("context", "before", "after", "after minus before", title=title)
        for id_, old, new, change in rows:
            table.add_row(escape(id_), rate(old), rate(new), rate(change, signed=True))
        if rows:
            out.print(table)
    out.print(f"[{STYLE[found.fate]}]{found.fate}[/]: {escape('; '.join(found.reasons))}", highlight=False)
    for warning in found.warnings:
        out.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
    return EXIT[found.fate]
