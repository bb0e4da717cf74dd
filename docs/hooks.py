"""What the site holds besides the pages of this folder, for MkDocs (`hooks` in mkdocs.yml).

Pages link to files of the repository as GitHub shows them (`../src/...`). Each such file is put into the site, under
`source/`, and the link leads there; the README's place is the first page's. `<!-- commands -->` becomes every command
with its options.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

COMMANDS = "<!-- commands -->"
LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")
"""A link that goes up: to another folder of this one, or out of it."""
HERE = Path(__file__).parent
OUTSIDE = {"README.md": "index.md"}
"""Files of the repository whose place a page takes; every other one is at `source/`."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Puts what pages link to outside of the folder into the site."""
    from mkdocs.structure.files import File

    for page in [file for file in files if file.is_documentation_page()]:
        for match in LINK.finditer(page.content_string):
            path = _outside(page.src_uri, match[1])
            if (
                path
                and path not in OUTSIDE
                and f"source/{path}" not in files.src_uris
                and (HERE.parent / path).is_file()
            ):
                files.append(File.generated(config, f"source/{path}", abs_src_path=str(HERE.parent / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links to where the site holds what they mean, and writes the commands where they are wanted."""
    here = page.file.src_uri

    def led(match: re.Match[str]) -> str:
        path = _outside(here, match[1])
        if path is None or not (HERE.parent / path).is_file():
            return match[0]  # MkDocs says so if it leads nowhere
        return (
            f"]({relpath(OUTSIDE.get(path, f'source/{path}'), PurePosixPath(here).parent.as_posix())}{match[2] or ''})"
        )

    return LINK.sub(led, markdown).replace(COMMANDS, "\n".join(commands()))


def _outside(page: str, link: str) -> str | None:
    """The path in the repository of what a page links to, or None where it is within this folder."""
    path = normpath(f"docs/{PurePosixPath(page).parent.as_posix()}/{link}")
    return None if path.startswith("docs/") else path


def commands() -> Iterator[str]:
    """Every command as Markdown: a heading, what it does, its arguments and options."""
    from undertow.cli.main import cli

    return _told(cli, ["undertow"])


def _told(command: click.Command, names: list[str]) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(names))
    if len(names) > 1:
        yield f"{'#' * len(names)} {' '.join(names)}\n"
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"```text\n{' '.join(names)} {usage}\n```\n"
        yield from _paragraphs(command.help or "")
        yield from _options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _told(command.commands[name], [*names, name])


def _paragraphs(text: str) -> Iterator[str]:
    """A help text: a paragraph after `\\b` keeps its lines."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("\b"):
            yield "```text\n" + paragraph.lstrip("\b\n") + "\n```\n"
        else:
            yield _plain(" ".join(paragraph.split())) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records: list[Any] = [
        record for option in command.params if (record := option.get_help_record(context)) and record[1]
    ]
    if records:
        yield "| option | is |\n| --- | --- |"
        yield from (f"| <code>{_cell(escape(name))}</code> | {_cell(_plain(told))} |" for name, told in records)
        yield ""


def _plain(text: str) -> str:
    """Text as text: what Markdown and HTML would read is escaped."""
    return re.sub(r"([\\*_<\[\]])", r"\\\1", text)


def _cell(text: str) -> str:
    return text.replace("|", "&#124;")
