"""`undertow verify`: whether what a statement binds is still what it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from undertow.cli.options import quiet

STYLE = {"held": "green", "changed": "bold red", "not given": "yellow", "not bound": "yellow"}


@click.command()
@click.argument("statement", type=click.Path(path_type=Path))
@click.option(
    "--model", "models", multiple=True, metavar="[WHO=]FOLDER", help="The model; WHO is target, target-2, reference ..."
)
@click.option("--base", type=click.Path(path_type=Path), help="The base of the target's adapter, if it was moved.")
@click.option("--rows", multiple=True, type=click.Path(path_type=Path), help="A file of training rows; repeatable.")
@click.option("--run", type=click.Path(path_type=Path), help="The run's folder.")
@click.option("--registered", metavar="SHA256", help="Hash of the plan or the protocol that was registered before.")
@click.option("--strict", is_flag=True, help="Fail too where something was not given or is not bound.")
@click.option("--json", "as_json", is_flag=True, help="Print each item with its state.")
@quiet
def verify(
    statement: Path,
    models: tuple[str, ...],
    base: Path | None,
    rows: tuple[Path, ...],
    run: Path | None,
    registered: str | None,
    strict: bool,
    as_json: bool,
) -> int:
    """Hold the STATEMENT that `undertow attest` wrote against a model's folder, rows, and the run. No network is used.

    Whoever signed it is for the signing tool to check, first. Exits 0 where all that was given holds, 3 where something
    changed (with --strict, where something was not given too).
    """
    from rich.markup import escape

    from undertow.cli.display import bars, results
    from undertow.errors import shown
    from undertow.place import labelled
    from undertow.releases.verify import read_statement
    from undertow.releases.verify import verify as check

    held = read_statement(statement)
    folders = {label or "target": folder for label, folder in map(labelled, models)}
    with bars() as progress:
        checked = check(held, models=folders, base=base, rows=rows, run=run, registered=registered, progress=progress)
    bad = [each for each in checked if each.state == "changed" or (strict and each.state != "held")]
    if as_json:
        click.echo(json.dumps({"holds": not bad, "items": [asdict(each) for each in checked]}, indent=2))
        return 3 if bad else 0
    out = results()
    for each in checked:
        said = f": {each.said}" if each.said else ""
        out.print(
            f"[{STYLE[each.state]}]{each.state}[/] {escape(shown(each.item))}{escape(shown(said))}", highlight=False
        )
    predicate = held["predicate"]
    if bad:
        click.echo(f"does not hold: {', '.join(shown(each.item) for each in bad)}")
    else:
        verdict = predicate["undertow"]["verdict"]["class"].replace("_", " ")
        click.echo(
            f"holds; it says {predicate['result']}, verdict: {shown(verdict)}; who says so only a signature tells"
        )
    return 3 if bad else 0
