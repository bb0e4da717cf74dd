"""Finding and reading suites, the shipped ones by name and a user's by path."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import as_file, files
from pathlib import Path

from undertow.errors import InputError, unknown_name
from undertow.files import YAML_ENDINGS, parse_yaml, read_text
from undertow.place import HERE, Place
from undertow.records import Key, Suite
from undertow.suites.published import read_list, read_published, read_records

RECORDS = (".jsonl", ".csv")
"""Endings of files of one question a line, with keys."""


def shipped_suites() -> list[str]:
    """Names of the suites in the package."""
    return sorted(f.name.removesuffix(".yaml") for f in files("undertow.suites").iterdir() if f.name.endswith(".yaml"))


def load_suite(name: str, place: Place = HERE) -> Suite:
    """A shipped suite by name, or a file by path (relative to `place`): YAML of ours or as published, JSONL or CSV
    with a question a line, or a text of questions (.txt).

    Raises:
        InputError: no such suite or file, a repeated question id, or a file that does not fit; names the line.
    """
    if not name.endswith((*YAML_ENDINGS, *RECORDS, ".txt")):
        if name not in shipped_suites():
            raise unknown_name(place.or_named("suite"), "suite", name, shipped_suites())
        with as_file(files("undertow.suites") / f"{name}.yaml") as path:
            return _read(path)
    return _read(place.path(name))


def _read(path: Path) -> Suite:
    return parse_suite(read_text(path), path)


def parse_suite(text: str, path: Path) -> Suite:
    """The suite that a file's text holds; `path` says which kind by its ending, and is named in errors.

    Raises:
        InputError: the text does not fit (names the line), holds no question, repeats an id, or has a question without
        text.
    """
    if path.suffix == ".txt":
        suite = read_list(text, path)
    elif path.suffix in RECORDS:
        suite = read_records(text, path)
    else:
        suite = read_published(text, path) or parse_yaml(text, Suite, where=str(path))
    if not re.fullmatch(r"[\w.-]*\w[\w.-]*", suite.id):
        raise InputError(
            path, f"has the id {suite.id!r}", expected="letters, digits, dots and dashes: files are named by it"
        )
    if empty := next((n for n, q in enumerate(suite.questions, 1) if not q.id.strip()), None):
        raise InputError(path, f"question {empty} has an empty id", do="write one, or leave it out")
    if odd := next((q.id for q in suite.questions if not q.id.isprintable()), None):
        raise InputError(path, f"question id {odd!r} cannot be shown", expected="printable characters on one line")
    id_, n = Counter(q.id for q in suite.questions).most_common(1)[0] if suite.questions else ("", 0)
    if n == 0:
        raise InputError(
            path,
            "has no questions",
            expected="at least one" + (" under 'questions:'" if path.suffix in YAML_ENDINGS else ""),
        )
    if n > 1:
        raise InputError(path, f"question id {id_!r} stands {n} times", expected="ids must differ")
    drawn = [question for question in suite.questions if question.weight is not None]
    if drawn and len(drawn) < len(suite.questions):
        found = f"{len(drawn)} of {len(suite.questions)} questions have a weight"
        raise InputError(path, found, expected="all were drawn from some traffic, or none", do="weigh all, or none")
    for question in suite.questions:
        if not question.text.strip():
            raise InputError(path, f"question {question.id!r} has no text", do="write one or drop it")
        if question.turns and question.turns[-1].role != "assistant":
            raise InputError(
                path,
                f"the turns of question {question.id!r} end with one of the {question.turns[-1].role}",
                expected="the question comes next, so the assistant's answer stands last",
            )
        if any(turn.role == "system" for turn in question.turns):
            raise InputError(
                path, f"question {question.id!r} has a system prompt among its turns", do="write it under 'system'"
            )
        if question.key is not None:
            _require_apart(question.id, question.key, path)
    return suite


def _require_apart(id_: str, key: Key, path: Path) -> None:
    """Refuse known answers that are no text, or right and wrong at once."""
    if not all(any(map(str.isalnum, text)) for text in (*key.right, *key.wrong)):
        found = f"question {id_!r} has a known answer without a letter or a digit"
        raise InputError(path, found, do="write one or drop it")
    wrong = {" ".join(text.casefold().split()) for text in key.wrong}
    if both := next((text for text in key.right if " ".join(text.casefold().split()) in wrong), None):
        raise InputError(path, f"question {id_!r} has {both!r} both right and wrong", do="take it out of one list")
