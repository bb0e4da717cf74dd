"""`undertow nursery`: rebuild the embedded base; write the quickstart's rows, recipes and audits."""

from __future__ import annotations

from pathlib import Path

import click

from undertow.cli.display import bars
from undertow.errors import RunExists


@click.group()
def nursery() -> None:
    """The miniature world that ships inside."""


@nursery.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of the base; must be new.")
@click.option("--seed", type=int, default=None, help="Seed of corpus and weights. Default: the shipped base's.")
def pretrain(out: Path, seed: int | None) -> None:
    """Generate the corpus and train the base on it, as the shipped one was."""
    from undertow.nursery.pretrain import Pretraining
    from undertow.nursery.pretrain import pretrain as pretrain_base

    with bars() as progress:
        made = pretrain_base(out, Pretraining() if seed is None else Pretraining(seed=seed), progress=progress)
    seconds = sum(stage["seconds"] for stage in made["stages"].values())
    click.echo(f"base: {out}: {made['parameters']:,} parameters, {seconds:.0f} s, sha256 {made['digest']}")


@nursery.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder; must be new.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the rows, the recipes and the audits.")
def files(out: Path, seed: int) -> None:
    """Write the quickstart's training rows, recipes and audits, to read and to run by hand."""
    from undertow.nursery.organisms import write_files

    if out.exists():
        raise RunExists(out, "already exists", do="choose another -o")
    write_files(out, seed=seed)
    click.echo(f"train: undertow train {out}/recipes/narrow.yaml -o {out}/organisms/narrow")
    click.echo(f"audit: undertow audit {out}/audits/narrow.yaml")
