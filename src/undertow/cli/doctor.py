"""`undertow doctor`: what is installed, what is missing, what to run."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version

import click

from undertow.errors import shown

NEEDS = {
    "core": (
        "aiohttp",
        "numpy",
        "scipy",
        "pydantic",
        "PyYAML",
        "click",
        "rich",
        "Jinja2",
        "altair",
        "vl-convert-python",
        "platformdirs",
    ),
    "local": ("torch", "transformers", "peft", "accelerate", "safetensors", "tokenizers"),
}
"""What the quickstart cannot do without."""
OPTIONAL = {
    "inspect": ("inspect_ai",),
    "serve": ("fastapi", "uvicorn", "openai"),
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> int:
    """Say what is installed, which kinds and plug-ins there are, what is missing and what to run. Exits 0 when the
    quickstart can run, else 4."""
    from undertow.asking.budget import prices_file
    from undertow.kinds import MAKES, installed
    from undertow.targets.models import NURSERY, model_folder

    found = {part: {name: _version(name) for name in names} for part, names in (NEEDS | OPTIONAL).items()}
    base = (model_folder(NURSERY) / "model.safetensors").is_file()
    missing = [part for part, names in found.items() if None in names.values()]
    ready = base and not set(missing) & set(NEEDS)
    kinds = {group: installed(group) for group in MAKES}
    broken = [kind for of in kinds.values() for kind in of if kind.problem]
    if as_json:
        named = {"kinds": {group: [kind.name for kind in of if not kind.problem] for group, of in kinds.items()}}
        refused = {
            "broken": [
                {"group": kind.group, "kind": kind.name, "package": kind.package, "problem": kind.problem}
                for kind in broken
            ]
        }
        click.echo(
            json.dumps(
                {
                    "python": platform.python_version(),
                    "cpus": os.cpu_count(),
                    "packages": found,
                    **named,
                    **refused,
                    "nursery_base": base,
                    "ready": ready,
                },
                indent=2,
            )
        )
        return 0 if ready else 4
    click.echo(f"python {platform.python_version()}, {os.cpu_count()} CPUs")
    for part, names in found.items():
        click.echo(
            f"{part}{' (optional)' if part in OPTIONAL else ''}: "
            + ", ".join(f"{name} {have or 'MISSING'}" for name, have in names.items())
        )
    click.echo(f"nursery base: {'present' if base else 'MISSING'}")
    click.echo(
        f"prices of your own: {prices_file()} "
        f"({'there' if prices_file().is_file() else 'not there; the shipped ones hold'})"
    )
    for group, of in kinds.items():
        click.echo(
            f"{group.removeprefix('undertow.')}: "
            + ", ".join(
                f"{kind.name} ({kind.package})" if kind.plugin else kind.name for kind in of if not kind.problem
            )
        )
    for kind in broken:
        click.echo(shown(f"broken: {kind}: {kind.problem}; mend or remove its package"))
    for part in missing:
        what = "undertow" if part == "core" else f"'undertow[{part}]'"
        click.echo(f"{'for more, run' if part in OPTIONAL else 'run'}: pip install {what}")
    if not base:
        click.echo("run: undertow nursery pretrain -o FOLDER")
    if ready:
        click.echo("ready; run: undertow quickstart")
    return 0 if ready else 4


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
