"""`undertow organisms`: what was trained, and what sets two of them apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.training import Manifest


@click.command()
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1)
@click.option("--compare", is_flag=True, help="Show only what differs between them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: whole manifests; with --compare, the differences.")
def organisms(folders: tuple[Path, ...], compare: bool, as_json: bool) -> None:
    """List the organisms in or below FOLDERS (default: this folder), or compare them."""
    from undertow.cli.display import Table, results
    from undertow.files import adapter
    from undertow.training import Manifest, find_organisms

    found = list(find_organisms(folders or (Path(),)))
    if not found:
        raise InputError(
            ", ".join(map(str, folders)) or ".",
            "holds no organism",
            do="train one: undertow train recipe.yaml -o organisms/mine",
        )
    records = {str(folder): adapter(Manifest).dump_python(manifest, mode="json") for folder, manifest in found}
    if compare:
        _compare(records, as_json)
        return
    if as_json:
        click.echo(
            json.dumps(
                [{"folder": folder} | record for folder, record in records.items()], indent=2, ensure_ascii=False
            )
        )
        return
    table = Table("organism", "base", "seed", "interventions", "stages")
    for column in ("rows", "tokens", "tokens/s", "last loss"):
        table.add_column(column, justify="right")
    for folder, manifest in found:
        done = manifest.stages
        rates = [stage.tokens_per_s for stage in done]
        table.add_row(
            folder.as_posix(),
            Path(manifest.base).name,
            str(manifest.seed),
            ", ".join(_kinds(manifest)) or "none",
            ", ".join(stage.name for stage in done) or "none",
            f"{sum(stage.rows for stage in done):,}",
            f"{sum(stage.tokens for stage in done):,}",
            f"{sum(rates) / len(rates):,.0f}" if rates else "—",
            f"{done[-1].losses[-1]:.3f}" if done and done[-1].losses else "—",
        )
    out = results()
    out.print(table, markup=False)


def _kinds(manifest: Manifest) -> list[str]:
    given: Any = manifest.recipe.get("interventions", [])
    return [str(each["kind"]) for each in given]


def _compare(records: Mapping[str, Mapping[str, Any]], as_json: bool) -> None:
    """The keys whose values are not the same in all."""
    from undertow.cli.display import Table, results

    flat = {folder: dict(_flat(record)) for folder, record in records.items()}
    keys = sorted({key for each in flat.values() for key in each})
    apart = {
        key: {folder: each.get(key) for folder, each in flat.items()}
        for key in keys
        if len({json.dumps(each.get(key)) for each in flat.values()}) > 1
    }
    if as_json:
        click.echo(json.dumps(apart, indent=2, ensure_ascii=False))
        return
    if len(records) < 2:
        raise InputError(", ".join(records), "is one organism", expected="two or more to compare")
    table = Table("", *records, show_lines=True)
    for key, values in apart.items():
        table.add_row(key, *("—" if value is None else str(value) for value in values.values()))
    out = results()
    out.print(table, markup=False)


def _flat(value: Any, at: str = "") -> list[tuple[str, Any]]:
    """Leaves by their dotted path; what a training measured about its own speed, and single losses, left out."""
    if isinstance(value, Mapping):
        return [
            leaf
            for key, item in value.items()
            if key not in ("losses", "seconds", "tokens_per_s")
            for leaf in _flat(item, f"{at}.{key}".strip("."))
        ]
    if isinstance(value, list):
        return [leaf for n, item in enumerate(value) for leaf in _flat(item, f"{at}.{n}")]
    return [(at, value)]
