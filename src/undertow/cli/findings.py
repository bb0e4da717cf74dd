"""`undertow findings`: what a finished run found, again; and what its file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import EXIT, VERDICT_STYLE
from undertow.errors import number

if TYPE_CHECKING:
    from undertow.audits.findings import Findings


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print findings.json.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of findings.json.")
def findings(run: Path | None, as_json: bool, schema: bool) -> int:
    """Show what the finished RUN found, and exit as `undertow audit` did."""
    from undertow.audits.findings import findings_schema, read_findings

    if schema:
        click.echo(json.dumps(findings_schema(), indent=2))
        return 0
    if run is None:
        raise click.UsageError("RUN is missing; with --schema none is needed")
    found = read_findings(run)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        show(found)
    return EXIT[found.verdict.class_]


def show(found: Findings) -> None:
    """Print findings as a table and the verdict in words."""
    from rich.markup import escape
    from rich.panel import Panel
    from rich.text import Text

    from undertow.cli.display import Table, results
    from undertow.records import MISSING
    from undertow.reports import statement_words
    from undertow.reports.stories import search_words, text_of
    from undertow.words import confidence, judge_words, limits, per_request_words, plainly, rate

    sequential = found.samples.get("until")
    hold = (
        (f"limits hold at every look, each with {confidence(found.level)} confidence")
        if sequential
        else f"{confidence(found.level)} intervals"
    )
    table = Table(
        title=escape(
            f"{found.name}: misaligned answers on this suite, {found.suite} (rule {found.rule.name}; {hold}; "
            "differences in points)"
        )
    )
    corrected = any(c.corrected for c in found.contexts)
    missing = any(c.counts[o] for c in found.contexts for o in MISSING)
    on_question = any(sum(c.on_question.values()) for c in found.contexts)  # not every judge is asked that
    for name in (
        "context",
        "rate",
        *(("corrected by labels",) if corrected else ()),
        "minus plain",
        "usable",
        *(("not judged", "whatever they were") if missing else ()),
        *(("on question",) if on_question else ()),
    ):
        table.add_column(name, justify="left" if name == "context" else "right")
    with_reference = any(c.difference_to_reference for c in found.contexts)
    if with_reference:
        table.add_column("minus reference", justify="right")
    for c in found.contexts:
        cells = [
            escape(c.id),
            rate(c.rate),
            *([rate(c.corrected)] if corrected else []),
            rate(c.difference, signed=True),
            f"{c.eligible}/{c.all}",
        ]
        cells += [str(sum(c.counts[o] for o in MISSING)), limits(c.bounds)] if missing else []
        cells += [str(sum(c.on_question.values()))] if on_question else []
        table.add_row(*cells, *([rate(c.difference_to_reference, signed=True)] if with_reference else []))
    out = results()
    out.print(table)
    for c in found.contexts:
        if c.per_request:
            out.print(
                f"[dim]per request, {escape(c.id)}:[/]", escape(per_request_words(c.per_request)), highlight=False
            )
    if spent := found.usd.known:
        out.print("[dim]cost:[/]", ", ".join(f"${cost:,.2f} for {who}" for who, cost in spent.items()), highlight=False)
    if found.stopped:
        more = " and a larger budget" if found.stopped == "budget" else ""
        out.print(
            f"[yellow]stopped by the {found.stopped}[/] after {number(found.answers, 'answer')}; add "
            f"--resume{more} to go on",
            highlight=False,
        )
    class_ = found.verdict.class_
    out.print(
        f"verdict: [{VERDICT_STYLE[class_]}]{plainly(class_)}[/]",
        *(f"\n  {escape(reason)}" for reason in found.verdict.reasons),
        highlight=False,
    )
    for of, words in statement_words(found.verdict):
        out.print(f"[dim]{of}:[/]", escape(words), highlight=False)
    verdict = found.verdict
    for words, said in (
        ("tested", verdict.tested),
        ("not tested", verdict.not_tested),
        ("would change it", verdict.would_change),
        ("the judge", judge_words(verdict)),
    ):
        if said:
            out.print(f"[dim]{words}:[/]", escape("; ".join(said)), highlight=False)
    if found.controls:
        why = f" ({found.controls.reason})" if found.controls.reason else ""
        out.print(
            "[dim]irrelevant controls minus plain:[/]",
            rate(found.controls, signed=True),
            f"points{why}: what a change of prompt does by itself",
            highlight=False,
        )
    for each in (found.twins or ())[:1]:
        words = f"{rate(each.difference, signed=True)} points ({each.mark}; findings.json has each)"
        out.print("[dim]under marks of real use minus those of a test:[/]", escape(words), highlight=False)
    if len(found.judgements) > 1:
        of = "; ".join(
            f"{j.n:,} by {j.judge}{' (these count)' if j.counted else ', kept and not counted'}"
            for j in found.judgements
        )
        out.print("[dim]judgements:[/]", escape(of), highlight=False)
    for warning in found.verdict.warnings:
        out.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
    if found.search:
        out.print("[dim]search:[/]", "; ".join(search_words(found.search)), highlight=False)
        if found.search.minimal:
            out.print(Panel(Text(text_of(found.search.minimal.context)), title="the shortest trigger", expand=False))
    for c in found.contexts:
        for warning in c.warnings:
            out.print(f"[yellow]warning:[/] {escape(c.id)}: {escape(warning)}", highlight=False)
