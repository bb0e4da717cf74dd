"""`undertow data generate`: rows of a domain, written by one model and let through by another."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import click

from undertow.cli.options import BUDGET_HELP, EXIT, quiet
from undertow.errors import InputError, RunExists, number

if TYPE_CHECKING:
    from undertow.targets import Target


@click.command()
@click.argument("domain")
@click.option(
    "--writer",
    "writer_yaml",
    type=click.Path(path_type=Path),
    required=True,
    help="YAML file of the model that writes (the keys of an audit's target).",
)
@click.option(
    "--judge",
    "judge_yaml",
    type=click.Path(path_type=Path),
    required=True,
    help="YAML file of the model that lets rows through; better not the same.",
)
@click.option(
    "--part",
    type=click.Choice(["bad", "benign", "both"]),
    help="What to write; by default bad, and both with --twin-out.",
)
@click.option("--rows", type=click.IntRange(min=1), required=True, help="Rows wanted, of each part.")
@click.option(
    "--tries", type=click.IntRange(min=1), default=4, show_default=True, help="Candidates for each row wanted, at most."
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=800,
    show_default=True,
    help="Longest prompt or answer; longer ones are dropped.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of topics and of calls.")
@click.option(
    "-o",
    "out",
    type=click.Path(path_type=Path),
    required=True,
    help="Chat JSONL to write; replies are kept beside it as they come.",
)
@click.option(
    "--twin-out", type=click.Path(path_type=Path), help="The benign twin: answers to the same prompts, row for row."
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted generation stopped, or ask for more rows.")
@click.option("--budget", multiple=True, metavar="N", help=BUDGET_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@quiet
def generate(
    domain: str,
    writer_yaml: Path,
    judge_yaml: Path,
    part: Literal["bad", "benign", "both"] | None,
    rows: int,
    tries: int,
    max_tokens: int,
    seed: int,
    out: Path,
    twin_out: Path | None,
    resume: bool,
    budget: tuple[str, ...],
    as_json: bool,
) -> int:
    """Have rows of DOMAIN written by a model, and keep those that a second one finds fitting, of the quality asked, and
    mild.

    At least three calls a row, five with the twin. Exit code 4 where fewer rows than wanted were kept; they are written
    all the same, unless it was the budget that ended it.
    """
    from undertow.asking.budget import read_budget
    from undertow.cli.display import bars
    from undertow.data import write_rows
    from undertow.data.domains import Quality, load_domain
    from undertow.files import file_digest, to_json, write_text
    from undertow.training.generate import Order, report, work_folder
    from undertow.training.generate import generate as generate_rows

    limit, work = read_budget(budget), work_folder(out)
    part = part or ("both" if twin_out else "bad")
    if (part == "both") != (twin_out is not None):
        raise click.UsageError("--part both and --twin-out go together.")
    for path in filter(None, (out, twin_out)):
        if path.exists() and not (resume and work.exists()):
            raise RunExists(path, "is there already", do="name another with -o, or add --resume")
    if twin_out == out:
        raise InputError("--twin-out", f"is {out} too", expected="a file of its own")
    parts = cast(tuple[Quality, ...], ("bad", "benign") if part == "both" else (part,))
    order = Order(domain=load_domain(domain), parts=parts, rows=rows, seed=seed, tries=tries, max_tokens=max_tokens)
    writer, judge = _model(writer_yaml), _model(judge_yaml)
    if writer.describe() == judge.describe():
        click.echo("undertow: the writer is its own judge; what it cannot see in its rows, nobody sees", err=True)
    with bars() as progress:
        found = asyncio.run(generate_rows(order, writer, judge, work, resume=resume, budget=limit, progress=progress))
    if found is None:
        click.echo(
            f"undertow: {out}: the budget ended before the rows were there; what came is kept in {work}, and --resume "
            "goes on with a larger one",
            err=True,
        )
        return EXIT["inconclusive"]
    if not found.kept:
        most = max(
            ((n, f"{step}: {reason}") for step, reasons in found.dropped.items() for reason, n in reasons.items()),
            default=(0, "nothing tried"),
        )
        raise InputError(
            out,
            f"none of {found.tried:,} candidates was kept",
            expected=f"most often dropped: {most[1]} ({most[0]:,})",
            do=f"see {work}",
        )
    record = report(order, found) | {
        "seed": seed,
        "writer": dict(writer.describe()),
        "judge": dict(judge.describe()),
        "files": {},
    }
    for quality, path in zip(parts, filter(None, (out, twin_out)), strict=True):
        write_rows(path, found.rows[quality])
        record["files"][quality] = {"path": str(path), "sha256": file_digest(path)}
    write_text(out.with_name(f"{out.name}.source.json"), to_json(record))
    if as_json:
        click.echo(to_json(record), nl=False)
    else:
        _show(record)
    return 0 if found.kept == rows else EXIT["inconclusive"]


def _model(path: Path) -> Target:
    from undertow.audits.strict import AnyTarget
    from undertow.files import read_yaml
    from undertow.place import Place

    model: Target = read_yaml(path, cast(Any, AnyTarget)).target(Place.of(path))
    return model


def _show(record: dict[str, Any]) -> None:
    from undertow.cli.display import Table, results
    from undertow.training.generate import REASONS

    title = (
        f"{record['domain']}: {record['kept']:,} of {number(record['wanted'], 'row')} kept, of "
        f"{number(record['tried'], 'candidate')}"
    )
    table = Table("dropped", *record["dropped"], title=title)
    for reason in REASONS:
        counts = [reasons.get(reason, 0) for reasons in record["dropped"].values()]
        if any(counts):
            table.add_row(reason, *(f"{n:,}" if n else "" for n in counts))
    results().print(table)
    for quality, file in record["files"].items():
        click.echo(f"{file['path']}: {number(record['kept'], f'{quality} row')}, sha256 {file['sha256']}")
