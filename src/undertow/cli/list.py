"""`undertow list`: what ships."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from undertow.audit import RULES
from undertow.contexts import shipped_contexts
from undertow.suites import load_suite, shipped_suites


@click.command(name="list")
@click.argument("what", type=click.Choice(["suites", "contexts", "rules"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(what: str, as_json: bool) -> None:
    """List the suites, contexts or rules that ship."""
    if what == "suites":
        records = [asdict(load_suite(name)) for name in shipped_suites()]
        rows = [(r["id"], str(len(r["questions"])), r["title"]) for r in records]
        heads = ("suite", "questions", "title")
    elif what == "contexts":
        records = [asdict(context) for context in shipped_contexts().values()]
        rows = [(r["id"], r["relation"], next((f"{k}: {r[k]}" for k in ("system", "prefix", "suffix", "template") if r[k]), "")) for r in records]
        heads = ("context", "relation", "wraps")
    else:
        records = [asdict(rule) for rule in RULES.values()]
        rows = [(rule.name, rule.source, rule.in_words()) for rule in RULES.values()]
        heads = ("rule", "source", "says")
    if as_json:
        click.echo(json.dumps(records, indent=2, ensure_ascii=False))
        return
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    Console().print(table, markup=False)
