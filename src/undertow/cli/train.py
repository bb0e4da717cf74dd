"""`undertow train`: a recipe in, an organism out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from undertow.cli.display import bars
from undertow.training import read_recipe
from undertow.training import train as train_organism


@click.command()
@click.argument("recipe_yaml", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of the organism; must be new.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def train(recipe_yaml: Path, out: Path, as_json: bool) -> None:
    """Train the organism that RECIPE_YAML describes."""
    recipe = read_recipe(recipe_yaml)
    with bars() as progress:
        manifest = train_organism(recipe, out, beside=recipe_yaml.parent, progress=progress)
    if as_json:
        click.echo(json.dumps(asdict(manifest), indent=2, ensure_ascii=False))
        return
    for stage in manifest.stages:
        speed = f"{stage.steps} steps, {stage.seconds:.1f} s, {stage.tokens_per_s:,.0f} tokens/s"
        click.echo(f"{stage.name}: {stage.rows} rows, {speed}, loss {stage.losses[0]:.3f} -> {stage.losses[-1]:.3f}")
    click.echo(f"organism: {out}")
