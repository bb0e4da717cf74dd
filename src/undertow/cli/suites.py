"""`undertow suites`: questions from elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from undertow.errors import number


@click.group()
def suites() -> None:
    """Bring in suites of questions."""


@suites.command(name="import")
@click.argument("url")
@click.option(
    "--sha256",
    metavar="HASH",
    help="SHA-256 that the file must have. Without it nothing is written, and the hash that was found is told.",
)
@click.option(
    "-o", "out", type=click.Path(path_type=Path), help="YAML file to write; by default the name in the URL, here."
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def import_(url: str, sha256: str | None, out: Path | None, force: bool) -> None:
    """Fetch a published suite (an http, https or file URL, or a file here) and write it as YAML of ours.

    Takes the YAML dialects of published question files, JSONL and CSV with a question a line, texts of questions
    (.txt), and suites of ours.
    """
    from undertow.files import file_digest, public
    from undertow.suites import fetch_suite, write_suite

    suite = fetch_suite(url, sha256=sha256)
    here = Path(url)
    source = f"{here.name}, sha256 {file_digest(here)}" if sha256 is None else f"{public(url)}, sha256 {sha256.lower()}"
    path = out or Path(f"{suite.id}.yaml")
    write_suite(path, suite, source=source, force=force)
    click.echo(f"{path}: {number(len(suite.questions), 'question')}. In an audit: suite: {path}")
