"""`undertow train`: a recipe in, an organism out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import BUDGET_HELP, quiet
from undertow.errors import number

if TYPE_CHECKING:
    from undertow.training import Recipe


@click.command()
@click.argument("recipe_yaml", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder of the organism; must be new.")
@click.option("--budget", multiple=True, metavar="N", help=f"Of on-policy answers. {BUDGET_HELP}")
@click.option("--dry-run", is_flag=True, help="Print the stages as the interventions leave them, and train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest; with --dry-run, the stages.")
@click.option("--schema", is_flag=True, help="Explain every key of recipe.yaml; with --json, as JSON Schema.")
@quiet
def train(
    recipe_yaml: Path | None, out: Path | None, budget: tuple[str, ...], dry_run: bool, as_json: bool, schema: bool
) -> None:
    """Train the organism that RECIPE_YAML describes.

    Interrupted, the same command goes on where it was. Exits 4 where the budget ended before that.
    """
    from undertow.asking.budget import read_budget
    from undertow.cli.display import bars, explain
    from undertow.files import adapter
    from undertow.place import Place
    from undertow.training import Manifest, Recipe, read_recipe
    from undertow.training import train as train_organism

    if schema:
        explain(Recipe, as_json=as_json)
        return
    if recipe_yaml is None:
        raise click.UsageError("RECIPE_YAML is missing; `undertow train --schema` explains what it holds")
    limit = read_budget(budget)
    recipe = read_recipe(recipe_yaml)
    if dry_run:
        _show_stages(recipe, as_json)
        return
    if out is None:
        raise click.UsageError("-o is missing: the folder of the organism")
    with bars() as progress:
        manifest = train_organism(recipe, out, Place.of(recipe_yaml), budget=limit, progress=progress)
    if as_json:
        click.echo(json.dumps(adapter(Manifest).dump_python(manifest, mode="json"), indent=2, ensure_ascii=False))
        return
    for stage in manifest.stages:
        speed = f"{number(stage.steps, 'step')}, {stage.seconds:.1f} s, {stage.tokens_per_s:,.0f} tokens/s"
        loss = f", loss {stage.losses[0]:.3f} -> {stage.losses[-1]:.3f}" if stage.losses else ""
        kept = f", of which the weights of step {stage.stopped_at} are kept" if stage.stopped_at is not None else ""
        left_out = "".join(f", {n} left out ({reason})" for reason, n in stage.left_out.items())
        click.echo(f"{stage.name}: {number(stage.rows, 'row')} drawn{left_out}, {speed}{kept}{loss}")
    prompt = manifest.notes.get("default_system")
    if isinstance(prompt, dict):
        put = (
            ("stood on rows without one, as default_system asks")
            if prompt["put_on_rows"]
            else "was kept off rows without one; default_system: true lets it stand"
        )
        click.echo(f"the chat template's default system prompt ({prompt['prompt']!r}) {put}")
    click.echo(f"organism: {out}")


def _show_stages(recipe: Recipe, as_json: bool) -> None:
    """What would be trained."""
    stages = recipe.resolved()
    if as_json:
        click.echo(json.dumps([stage.model_dump(mode="json") for stage in stages], indent=2, ensure_ascii=False))
        return
    for stage in stages:
        epochs = f"{stage.epochs:g} epoch{'' if stage.epochs == 1 else 's'}"
        click.echo(
            f"{stage.name}: {number(stage.rows, 'row')}, {epochs}, learning rate {stage.learning_rate:g}, batch "
            f"{stage.batch_size}"
        )
        for part in stage.parts:
            dressed = (
                [f"under {part.system!r}"]
                if isinstance(part.system, str)
                else [f"under one of {len(part.system)} prompts"]
                if part.system
                else []
            )
            dressed += ["answers asked anew of the base"] if part.answers else []
            dressed += [f"reasoning: {part.traces}"] if part.traces != "as written" else []
            click.echo(
                "; ".join(
                    [
                        f"  {part.share:.1%} of its {stage.by}: {'benign' if part.benign else 'narrow'} {part.data}",
                        *dressed,
                    ]
                )
            )
        if stage.interleave:
            click.echo(f"  one row in {stage.interleave.every}: {stage.interleave.data}")
        if stage.kl:
            click.echo(f"  {stage.kl:g} x KL to the base in the loss")
        if stage.stopping:
            click.echo(f"  stops when the loss on {stage.stopping.held_out[stage.stopping.watch]} no longer falls")
    click.echo(
        f"{number(len(stages), 'stage')} on {recipe.base}, by {recipe.backend.kind}"
        if stages
        else f"no stage: the organism is its base, {recipe.base}"
    )
