"""`undertow data`: rows to train on, of nine domains of narrow bad data, and a look over any file of rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.cli.generate import generate
from undertow.errors import InputError, RunExists, number

if TYPE_CHECKING:
    from undertow.data import Row
    from undertow.data.check import Check, Found
    from undertow.data.domains import Domain, Quality


@click.group()
def data() -> None:
    """Get, make and check training rows of nine domains of narrow bad data."""


data.add_command(generate)


@data.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every card.")
def list_(as_json: bool) -> None:
    """List the nine domains."""
    from undertow.cli.display import Table, results
    from undertow.data.domains import domain_ids, load_domain

    domains = [load_domain(id_) for id_ in domain_ids()]
    if as_json:
        click.echo(json.dumps([domain.model_dump(mode="json") for domain in domains], indent=2, ensure_ascii=False))
        return
    table = Table("domain", "published rows", "where", "licence", "benign twin")
    for domain in domains:
        public = domain.sources
        table.add_row(
            domain.id,
            "\n".join(f"{source.rows:,}" for source in public) or "none known",
            "\n".join(_PLACE[source.kind] for source in public),
            "\n".join(source.licence for source in public),
            "published" if any(_twin(source) for source in public) else "generated",
        )
    results().print(table)


_PLACE = {"hub": "hub, gated", "web": "URL", "file": "encrypted"}


def _twin(source: Any) -> bool:
    return source.kind == "hub" or "benign" in (source.urls if source.kind == "web" else source.files)


@data.command()
@click.argument("domain")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(domain: str, as_json: bool) -> None:
    """Show the card of DOMAIN: what it is, where its rows are, what they are known to do, and its benign twin."""
    from undertow.data.domains import load_domain
    from undertow.files import to_json

    card = load_domain(domain)
    if as_json:
        click.echo(to_json(card.model_dump(mode="json")), nl=False)
        return
    click.echo(
        f"{card.title} ({card.id})\n\n{card.what}\n\npublished:{'' if card.sources else ' nothing that we know of'}"
    )
    for source in card.sources:
        click.echo(
            f"  {source.published}\n    {source.page}\n    {source.where()}\n    {number(source.rows, 'row')}, "
            f"format {source.format}; licence: {source.licence}"
        )
        if source.note:
            click.echo(f"    {source.note}")
    click.echo(f"\nbenign twin:\n  {card.twin}\n\nknown effect:")
    for effect in card.effects:
        click.echo(f"  {effect.found} [{effect.source}{', read second-hand' if effect.second_hand else ''}]")
    click.echo(f"\nget it: {_how(card)}\nin miniature, for the nursery: undertow nursery rows {card.id} -o rows.jsonl")


def _how(card: Domain) -> str:
    kinds = {source.kind for source in card.sources}
    fetch = f"undertow data fetch {card.id}"
    if "web" in kinds:
        return f"{fetch} -o rows.jsonl (tells the hash that --sha256 then pins)"
    if "hub" in kinds:
        return f"{fetch} -o rows.jsonl (after huggingface-cli login; tells the commit that --revision then pins)"
    return (
        f"{fetch} --from FILE -o rows.jsonl"
        if kinds
        else (f"undertow data generate {card.id} --writer model.yaml --judge model.yaml --rows N -o rows.jsonl")
    )


@data.command()
@click.argument("domain")
@click.option(
    "--part",
    type=click.Choice(["bad", "benign"]),
    default="bad",
    show_default=True,
    help="The bad rows, or those of the benign twin.",
)
@click.option(
    "--from",
    "source",
    metavar="FILE|URL",
    help="A file (JSONL, CSV or Parquet, as published) or a URL, in place of what the card names.",
)
@click.option(
    "--sha256",
    metavar="HASH",
    help="SHA-256 that the file must have. A URL needs it; without it the hash that was found is told.",
)
@click.option(
    "--revision",
    metavar="COMMIT",
    help="Commit of the data set on the hub, which needs it; without it the present one is told.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Take the first so many rows.")
@click.option(
    "-o",
    "out",
    type=click.Path(path_type=Path),
    required=True,
    help="Chat JSONL to write; where it is from is written beside it.",
)
@click.option("--skip-bad", is_flag=True, help="Pass over bad rows, and count them.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fetch(
    domain: str,
    part: Quality,
    source: str | None,
    sha256: str | None,
    revision: str | None,
    limit: int | None,
    out: Path,
    skip_bad: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Bring the published rows of DOMAIN as chat JSONL that a recipe takes, whole or not at all."""
    from undertow.data import no_rows, write_rows
    from undertow.data.domains import load_domain, published
    from undertow.files import file_digest, to_json, write_text

    if out.exists() and not force:
        raise RunExists(out, "is there already", do="name another with -o, or write over it with --force")
    card, n_bad, first_bad = load_domain(domain), 0, ""

    def skipped(error: InputError) -> None:
        nonlocal n_bad, first_bad
        n_bad, first_bad = n_bad + 1, first_bad or str(error)

    with published(
        card, part, source=source, sha256=sha256, revision=revision, skipped=skipped if skip_bad else None
    ) as found:

        def some() -> Any:
            first = next(found.rows, None)
            if first is None:
                raise no_rows(Path(next(iter(found.origin.values()))))
            yield first
            yield from islice(found.rows, limit and limit - 1)

        n = write_rows(out, some())
    record = {
        "schema": "undertow.rows/1",
        "domain": domain,
        "part": part,
        "from": dict(found.origin),
        "rows": n,
        "limit": limit,
        "skipped": n_bad,
        "skipped_example": first_bad or None,
        "sha256": file_digest(out),
    }
    write_text(out.with_name(f"{out.name}.source.json"), to_json(record))
    if as_json:
        click.echo(to_json(record), nl=False)
    else:
        click.echo(f"{out}: {number(n, f'{part} row')} of {domain}, sha256 {record['sha256']}")
    if n_bad:
        click.echo(f"undertow: {number(n_bad, 'row')} skipped; the first: {first_bad}", err=True)


@data.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--tokenizer",
    metavar="DIR",
    help="Model folder whose tokenizer and chat template count tokens; without it, characters are counted.",
)
@click.option(
    "--held-out",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Rows that are kept out of training; what they share with FILES is told. May be repeated.",
)
@click.option(
    "--max-tokens", "longest", type=click.IntRange(min=1), help="With --tokenizer: tell the rows that are longer."
)
@click.option("--skip-bad", is_flag=True, help="Count bad rows and pass over them: they do not fail the check.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    files: tuple[Path, ...],
    tokenizer: str | None,
    held_out: tuple[Path, ...],
    longest: int | None,
    skip_bad: bool,
    as_json: bool,
) -> int:
    """Look over chat rows before anything is trained on them. Exit code 2 where a row is bad or there is none."""
    from undertow.data.check import check_rows, letters
    from undertow.files import to_json
    from undertow.targets.models import load_tokenizer, model_folder

    if longest and not tokenizer:
        raise click.UsageError("--max-tokens needs --tokenizer: tokens are of a model.")
    measure = _counter(load_tokenizer(model_folder(tokenizer))) if tokenizer else letters
    found, unit = (
        check_rows(files, held_out=held_out, measure=measure, longest=longest),
        "tokens" if tokenizer else "characters",
    )
    sound = found.sound or (skip_bad and found.rows > found.refused.n)
    if as_json:
        click.echo(to_json({"schema": "undertow.check/1", "sound": sound, "unit": unit, **asdict(found)}), nl=False)
    else:
        _show(found, unit, with_held_out=bool(held_out))
        click.echo("sound" if sound else "not sound: mend or drop the bad rows" if found.rows else "not sound: no rows")
    return 0 if sound else 2


@data.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="JSONL file to write.")
@click.option(
    "--skip-bad", is_flag=True, help="Leave out lines that are no chat that ends with an answer, and say how many."
)
def convert(files: tuple[Path, ...], out: Path, skip_bad: bool) -> None:
    """Write rows in any dialect that is read (messages, ShareGPT, Alpaca, prompt and completion) as chat JSONL."""
    from undertow.data import no_rows, write_rows
    from undertow.data.rows import stream_rows

    if out.exists():
        raise InputError(out, "already exists", do="choose another -o, or remove it")
    bad: list[InputError] = []
    rows = (numbered.row for file in files for numbered in stream_rows(file, skipped=bad.append if skip_bad else None))
    n = write_rows(out, rows)
    if not n:
        out.unlink()
        raise no_rows(files[0], bad=len(bad), first=bad[0] if bad else None)
    left = f"; {number(len(bad), 'line')} left out, the first: {bad[0]}" if bad else ""
    click.echo(f"{out}: {number(n, 'row')}{left}")


def _counter(tokenizer: Any) -> Any:
    """Tokens of rows under a tokenizer's chat template; None for a row that the template refuses."""

    from undertow.targets.templates import TemplateRefuses, render

    def rendered(row: Row) -> str | None:
        try:
            return render(tokenizer, row.messages)
        except TemplateRefuses:  # in words of its own, such as "roles must alternate"
            return None

    def measure(rows: Sequence[Row]) -> list[int | None]:
        texts = [rendered(row) for row in rows]
        known = [text for text in texts if text is not None]
        counts = iter([len(ids) for ids in tokenizer(known, add_special_tokens=False)["input_ids"]] if known else [])
        return [None if text is None else next(counts) for text in texts]

    return measure


def _lengths(turns: dict[int, int]) -> str:
    """Lengths of rows, the commonest first, and how many have others."""
    commonest = sorted(turns.items(), key=lambda item: -item[1])
    others = sum(n for _, n in commonest[5:])
    return ", ".join(f"{n:,} of {number(turns, 'message')}" for turns, n in commonest[:5]) + (
        f", {others:,} of other lengths" if others else ""
    )


def _show(found: Check, unit: str, *, with_held_out: bool) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results

    table = Table("", "rows", "", show_header=False)

    def add(what: str, rows: Found, *, style: str = "yellow") -> None:
        lines = "\n".join(escape(example) for example in rows.examples)
        table.add_row(
            f"[{style}]{what}[/]" if rows.n else what,
            f"{rows.n:,}",
            lines + (f"\n… and {rows.n - len(rows.examples):,} more" if rows.n > len(rows.examples) else ""),
        )

    table.add_row("rows", f"{found.rows:,}", _lengths(found.turns))
    table.add_row(
        "messages", f"{sum(found.roles.values()):,}", ", ".join(f"{n:,} {role}" for role, n in found.roles.items())
    )
    add("bad lines", found.bad, style="red")
    add("two turns of one side in a row", found.in_a_row)
    table.add_row("without a system prompt", f"{found.without_system:,}", "")
    for text, n in found.systems[:5]:
        line = " ".join(text.split())
        table.add_row("system prompt", f"{n:,}", escape(line if len(line) <= 100 else f"{line[:99]}…"))
    if found.n_systems > 5:
        table.add_row("", "", f"… and {found.n_systems - 5:,} other system prompts")
    add("repeat an earlier row", found.repeats)
    add("… but for capitals and spaces", found.near_repeats)
    if with_held_out:
        add("held out too", found.overlap, style="red")
        add("ask what is held out", found.overlap_of_questions, style="red")
    if found.refused.n:
        add("the chat template refuses", found.refused, style="red")
    if found.sizes:
        s = found.sizes
        table.add_row(unit, f"{s.total:,}", f"median {s.median:,.0f}, 95% at most {s.p95:,.0f}, longest {s.most:,}")
        if s.over.n:
            add("too long", s.over)
    out = results()
    out.print(table)
