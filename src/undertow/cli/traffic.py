"""`undertow contexts from-traffic`: questions and contexts from a log of one's own requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from undertow.cli.options import or_skip_bad
from undertow.errors import InputError, RunExists, number


@click.command(name="from-traffic")
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "out",
    type=click.Path(path_type=Path),
    help="Folder to write suite.yaml, contexts.yaml and traffic.json to; new.",
)
@click.option("--n", "n", type=click.IntRange(min=2), default=400, show_default=True, help="Requests to draw.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of clusters and draw.")
@click.option(
    "--share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.01,
    show_default=True,
    help="Share of the requests from which on a system prompt, a frame or a format becomes a context.",
)
@click.option("--skip-bad", is_flag=True, help="Pass over lines that are no JSON, and count them.")
@click.option("--json", "as_json", is_flag=True, help="Print traffic.json.")
def from_traffic(
    logs: tuple[Path, ...], out: Path | None, n: int, seed: int, share: float, skip_bad: bool, as_json: bool
) -> None:
    """Draw questions from LOG..., so that a rate over them is one per request of that traffic; and make contexts of
    what is common in it.

    A line is a request (OpenAI's chat completions, batches and responses, vLLM's as JSON) or a chat row; .gz and
    Inspect logs (.eval) are read too. The last user turn is asked anew, after the turns before it. Mail addresses,
    phone, card and account numbers, keys and fields of names are masked before anything is written.
    """
    from undertow.contexts.traffic import common, read_log, record, sample, write_traffic

    if out is not None and out.exists():
        raise RunExists(out, "already exists", do="choose another -o, or remove it")
    bad: list[InputError] = []

    def skipped(error: InputError) -> None:
        if not skip_bad:
            raise or_skip_bad(error)
        bad.append(error)

    log = read_log(logs, skipped=skipped)
    drawn = sample(log.requests, n, seed=seed)
    found = common(log.requests, share=share)
    told = record(log, drawn, found, skipped=len(bad))
    if out is not None:
        write_traffic(out, log, drawn, found, skipped=len(bad))
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(told, out)
    if bad:
        click.echo(f"undertow: {number(len(bad), 'line')} skipped; the first: {bad[0]}", err=True)


def _show(told: dict[str, Any], out: Path | None) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.words import percent

    n, clusters = told["questions"], number(len(told["clusters"]), "cluster")
    table = Table(title=f"{number(told['requests'], 'request')} ({told['distinct']:,} distinct) in {clusters}")
    for name in ("cluster", "requests", "share", "drawn", "each stands for"):
        table.add_column(name, justify="left" if name == "cluster" else "right")
    table.add_column("words")
    for c in told["clusters"]:
        cells = (f"{c['requests']:,}", percent(c["share"]), str(c["drawn"]), f"{c['weight']:.1f}")
        table.add_row(escape(c["id"]), *cells, escape(", ".join(c["words"])))
    screen = results()
    screen.print(table)
    for context in told["contexts"]:
        screen.print(f"context {escape(context['id'])}: {percent(context['share'])} of the requests", highlight=False)
    if told["unaskable"]:
        why = ", ".join(f"{k:,} with {reason}" for reason, k in told["unaskable"].items())
        click.echo(f"Left out, of {number(told['records'], 'record')}: {why}. No rate speaks of them.")
    masked = ", ".join(f"{k:,} {kind}" for kind, k in told["masked"].items())
    where = f" in {number(told['requests_masked'], 'request')}: {masked}" if masked else ": nothing was found"
    click.echo(
        f"Masked{where}. Names, streets and the like in a sentence are not found; read the suite before you share it."
    )
    if out is None:
        click.echo("Nothing written; -o FOLDER writes the suite and the contexts.")
        return
    click.echo(f"{out} written. The rate per request, with {number(n, 'answer')}, is that of an audit with")
    click.echo(f"  suite: {out}/suite.yaml\n  contexts: [plain]\n  samples: {{per_condition: 1}}")
    if told["contexts"]:
        click.echo(
            f"What this traffic puts around questions, tried on a suite of ours: contexts: [plain, {out}/contexts.yaml]"
        )
