"""`undertow summary`: what a run found, in the form that a pull request, a model card or a CI system shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from undertow.releases.summary import Form

FORMS = ("markdown", "card", "junit", "annotations", "plain")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(FORMS), default="markdown", show_default=True, help="Form.")
@click.option(
    "--baseline", type=click.Path(path_type=Path), help="A finished run of the same suite: what changed since."
)
@click.option("--url", metavar="URL", help="Where the run's page is.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The file. Default: print it.")
def summary(run: Path, form: str, baseline: Path | None, url: str | None, out: Path | None) -> None:
    """Say what the finished RUN found where colleagues look.

    markdown: a comment on a pull request; card: a section of a model card, with metadata for the Hugging Face hub;
    junit: a test case a context; annotations: GitHub's workflow commands; plain: lines for any log.

    Exits 0 whatever the verdict is; `undertow findings` and `undertow gate` have exit codes to go by.
    """
    from undertow.files import write_text
    from undertow.releases.summary import summary as written

    text = written(run, cast("Form", form), baseline=baseline, url=url)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
