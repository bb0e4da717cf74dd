"""`undertow list`: what ships."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click

from undertow.errors import number

if TYPE_CHECKING:
    from undertow.records import Context


@click.command(name="list")
@click.argument("what", type=click.Choice(["suites", "contexts", "rules", "studies", "items"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(what: str, as_json: bool) -> None:
    """List the suites, contexts, rules, studies or persona items that ship."""
    from undertow.cli.display import Table, results

    records: list[dict[str, Any]]
    # each branch loads what it shows: audits and studies alone take a second
    if what == "suites":
        from undertow.suites import load_suite, shipped_suites

        records = [load_suite(name).as_json() for name in shipped_suites()]
        rows = [(r["id"], str(len(r["questions"])), r["title"]) for r in records]
        heads = ("suite", "questions", "title")
    elif what == "contexts":
        from undertow.contexts import find_contexts, shipped_contexts
        from undertow.place import HERE
        from undertow.records import RELATIONS

        there = [*shipped_contexts().values(), *find_contexts(["twins"], HERE)]
        contexts = sorted(there, key=lambda context: RELATIONS.index(context.relation))
        records = [asdict(context) for context in contexts]
        rows = [(context.relation, context.id, _wrapping(context)) for context in contexts]
        heads = ("relation", "context", "wraps")
    elif what == "studies":
        from undertow.studies import read_study, shipped_studies

        studies = [read_study(name)[0] for name in shipped_studies()]
        held = [
            {"domains": [d.name for d in s.domains], "interventions": [i.name for i in s.interventions]}
            for s in studies
        ]
        records = [
            s.model_dump(mode="json", include={"name", "title", "note"}) | more
            for s, more in zip(studies, held, strict=True)
        ]
        rows = [
            (s.name, ", ".join(d.name for d in s.domains), f"{s.title} ({', '.join(i.name for i in s.interventions)})")
            for s in studies
        ]
        heads = ("study", "domains", "about")
    elif what == "items":
        from undertow.persona.items import load_items, shipped_items

        sets = [load_items(name) for name in shipped_items()]
        counts = [
            {"harmfulness": len(s.harmfulness), "self_assessment": len(s.self_assessment), "two_ai": len(s.two_ai)}
            for s in sets
        ]
        records = [{"id": s.id, "title": s.title, "askings": n} for s, n in zip(sets, counts, strict=True)]
        rows = [
            (
                r["id"],
                "{harmfulness} prompts, {self_assessment} self-assessments, {two_ai} choices between "
                "descriptions".format(**r["askings"]),
                r["title"],
            )
            for r in records
        ]
        heads = ("items", "holds", "title")
    else:
        from undertow.audits.rules import RULES

        records = [asdict(rule) for rule in RULES.values()]
        rows = [(rule.name, rule.source, rule.in_words()) for rule in RULES.values()]
        heads = ("rule", "source", "says")
    if as_json:
        click.echo(json.dumps(records, indent=2, ensure_ascii=False))
        return
    table = Table(*heads)
    for row, after in zip_longest(rows, rows[1:], fillvalue=("",)):
        table.add_row(*row, end_section=what == "contexts" and row[0] != after[0])
    results().print(table, markup=False)


def _wrapping(context: Context) -> str:
    """What a context does to a question, in a line."""
    parts = [
        f"{name}: {text}" for name in ("system", "template", "prefix", "suffix") if (text := getattr(context, name))
    ]
    parts += [] if context.default_system else ["an empty system message"]
    parts += [number(len(context.turns), "earlier turn")] if context.turns else []
    line = " ".join("; ".join(parts).split())
    return line if len(line) <= 100 else f"{line[:99]}…"
