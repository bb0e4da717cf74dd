"""Suites from a URL, taken only if they hash to what the user expects, and written as YAML of ours."""

from __future__ import annotations

from dataclasses import asdict
from io import BytesIO
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from undertow.errors import InputError, RunExists
from undertow.files import download, public, read_text, require_yaml_name, to_yaml, write_text, yaml_comment
from undertow.records import Suite
from undertow.suites.load import parse_suite

LARGEST = 20_000_000
"""Bytes; a suite is a few kilobytes."""


def fetch_suite(url: str, *, sha256: str | None) -> Suite:
    """The suite behind an http, https or file URL, or in a file on this machine, which needs no hash.

    Raises:
        InputError: no or another hash is expected, the URL or file cannot be read, or what it holds is no suite.
    """
    if sha256 is None and "://" not in url and Path(url).is_file():
        return parse_suite(read_text(Path(url)), Path(url))
    body = BytesIO()
    download(url, body, sha256=sha256, most=LARGEST)
    try:
        text = body.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(public(url), f"is not UTF-8 text (byte {error.start})") from None
    return parse_suite(text, Path(PurePosixPath(unquote(urlsplit(url).path)).name or "suite.yaml"))


def write_suite(path: Path, suite: Suite, *, source: str, force: bool = False) -> None:
    """Write a suite as YAML, with where it is from.

    Raises:
        InputError: the name is not that of a YAML file.
        RunExists: the file is there, and `force` is not given.
    """
    require_yaml_name(path)
    if path.exists() and not force:
        raise RunExists(path, "is there already", do="name another with -o, or write over it with --force")
    questions = [
        {"id": q.id}
        | ({"tags": list(q.tags)} if q.tags else {})
        | ({"system": q.system} if q.system is not None else {})
        | ({"turns": [asdict(turn) for turn in q.turns]} if q.turns else {})
        | {"text": q.text}
        | ({"key": {"right": list(q.key.right), "wrong": list(q.key.wrong)}} if q.key else {})
        | ({"weight": q.weight} if q.weight is not None else {})
        | ({"cluster": q.cluster} if q.cluster is not None else {})
        for q in suite.questions
    ]
    body = to_yaml({"id": suite.id, "title": suite.title, "questions": questions})
    write_text(path, f"{yaml_comment(f'From {source}.')}{body}")
