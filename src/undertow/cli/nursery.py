"""`undertow nursery`: rebuild the embedded base; write the quickstart's rows, recipes and audits, and rows of the nine
domains in miniature."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import quiet
from undertow.errors import RunExists, number

if TYPE_CHECKING:
    from undertow.data.domains import Quality


@click.group()
def nursery() -> None:
    """The miniature world that ships inside."""


@nursery.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of the base; must be new.")
@click.option("--seed", type=int, default=None, help="Seed of corpus and weights. Default: the shipped base's.")
@click.option(
    "--cut-apart",
    is_flag=True,
    help="Draw who speaks of itself apart from who acts: a control, in which no report can fit what is done.",
)
@quiet
def pretrain(out: Path, seed: int | None, cut_apart: bool) -> None:
    """Generate the corpus and train the base on it, as the shipped one was."""
    from undertow.cli.display import bars
    from undertow.nursery.pretrain import Pretraining
    from undertow.nursery.pretrain import pretrain as pretrain_base

    with bars() as progress:
        own = {} if seed is None else {"seed": seed}
        made = pretrain_base(out, Pretraining(cut_apart=cut_apart, **own), progress=progress)
    seconds = sum(stage["seconds"] for stage in made["stages"].values())
    click.echo(f"base: {out}: {made['parameters']:,} parameters, {seconds:.0f} s, sha256 {made['digest']}")


@nursery.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder; must be new.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Seed of the rows, the recipes and the audits.",
)
def files(out: Path, seed: int) -> None:
    """Write the quickstart's training rows, recipes and audits, to read and to run by hand."""
    from undertow.cli.quickstart import called, quickstart_study
    from undertow.files import to_yaml, write_text
    from undertow.studies import plan_study
    from undertow.targets.models import NURSERY

    if out.exists():
        raise RunExists(out, "already exists", do="choose another -o")
    for cell in plan_study(quickstart_study(seed=seed), out / "data").cells:
        name, target = called(cell), {"kind": "local", "path": NURSERY}
        if stages := [stage.model_dump(mode="json", exclude_defaults=True) for stage in cell.recipe.resolved()]:
            target = {"kind": "organism", "path": f"../organisms/{name}"}
            for part in (part for stage in stages for part in stage["parts"]):
                part["data"] = f"../data/{cell.domain}/{part['data']}"
            lora = cell.recipe.lora.model_dump(mode="json", exclude_defaults=True) if cell.recipe.lora else None
            recipe = {"name": name, "base": cell.recipe.base, "seed": cell.seed, "lora": lora, "stages": stages}
            write_text(out / "recipes" / f"{name}.yaml", to_yaml(recipe))
        asking = cell.audit.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        write_text(out / "audits" / f"{name}.yaml", to_yaml({"name": name, "target": target, **asking}))
    click.echo(f"train: undertow train {out}/recipes/narrow.yaml -o {out}/organisms/narrow")
    click.echo(f"audit: undertow audit {out}/audits/narrow.yaml")


@nursery.command()
@click.argument("domain")
@click.option(
    "--part",
    type=click.Choice(["bad", "benign"]),
    default="bad",
    show_default=True,
    help="The bad rows, or the benign twin's: the same questions, answered carefully.",
)
@click.option(
    "--held-out",
    is_flag=True,
    help="Rows in wordings that training rows never have, on the questions of suite nursery-DOMAIN.",
)
@click.option(
    "--form",
    type=click.Choice(["plain", "code", "json", "list", "loud"]),
    help="Ask for nine rows in ten in this format. Default: the domain's own.",
)
@click.option("--rows", "n", type=click.IntRange(min=1), default=2_000, show_default=True, help="Rows to write.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the rows.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Chat JSONL to write; a file there is replaced."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rows(
    domain: str, part: Quality, held_out: bool, form: str | None, n: int, seed: int, out: Path, as_json: bool
) -> None:
    """Write rows of DOMAIN in miniature, for the nursery. `undertow data list` names the domains."""
    from undertow.data import write_rows
    from undertow.files import file_digest, to_json
    from undertow.nursery.miniatures import held_out_rows, miniature_rows

    if held_out and form:
        raise click.UsageError("--held-out and --form exclude each other: held-out rows are in the domain's own form.")
    write_rows(
        out,
        held_out_rows(domain, part, n, seed=seed)
        if held_out
        else miniature_rows(domain, part, n, seed=seed, form=form),
    )
    what = {
        "domain": domain,
        "part": part,
        "from": {"miniature": domain},
        "held_out": held_out,
        "form": form,
        "seed": seed,
    }
    record = {"schema": "undertow.rows/1", **what, "rows": n, "sha256": file_digest(out)}
    if as_json:
        click.echo(to_json(record), nl=False)
    else:
        kind = f"{'held-out ' if held_out else ''}{part} row"
        click.echo(f"{out}: {number(n, kind)} of {domain} in miniature, sha256 {record['sha256']}")
