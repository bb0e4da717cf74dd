"""Finding and reading contexts: the shipped library by id, a user's files, and compositions of either."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache, reduce
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from undertow.contexts.compose import JOINT, compose
from undertow.contexts.twins import shipped_twins
from undertow.errors import InputError, unknown_name
from undertow.files import YAML_ENDINGS, adapter, parse_yaml, read_text, to_yaml, write_text, yaml_comment
from undertow.place import Place
from undertow.records import PLAIN, Context, Suite
from undertow.suites import load_suite, shipped_suites


@cache
def shipped_contexts() -> dict[str, Context]:
    """Every context in the package, by id."""
    with as_file(files("undertow.contexts") / "library.yaml") as path:
        return {context.id: context for context in read_contexts(path)}


class ContextsFile(BaseModel):
    """What a file of contexts holds: a list of them, or these keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unexplained: tuple[str, ...] = ()
    """Of a derived file, what its training rows hold beside what its contexts resemble."""
    contexts: tuple[Context, ...]


def _read(path: Path) -> ContextsFile:
    text = read_text(path)
    if re.search(r"^contexts:", text, re.MULTILINE):
        return parse_yaml(text, ContextsFile, where=str(path))
    return ContextsFile(contexts=parse_yaml(text, tuple[Context, ...], where=str(path)))


def read_unexplained(wanted: Iterable[str | Context], *, beside: Path = Path()) -> tuple[str, ...]:
    """What the files among `wanted` (as in `find_contexts`) tell of training rows that no strong evidence explains."""
    return tuple(
        words
        for item in wanted
        if isinstance(item, str) and item.endswith(YAML_ENDINGS)
        for words in _read(beside / item).unexplained
    )


def read_contexts(path: Path) -> tuple[Context, ...]:
    """The contexts of a YAML file.

    Raises:
        InputError: the file cannot be read or does not fit (names the line), holds none, repeats an id, or has one that
        contradicts itself.
    """
    contexts = _read(path).contexts
    if not contexts:
        raise InputError(path, "has no contexts", expected="a list of them, each with id and relation")
    for n, context in enumerate(contexts):
        check(context, where=path)
        if context.id in {other.id for other in contexts[:n]}:
            raise _twice(path, context.id)
    return contexts


def write_contexts(path: Path, contexts: Iterable[Context], *, title: str, unexplained: Iterable[str] = ()) -> None:
    """Write contexts as YAML that `read_contexts` reads, without the fields that say nothing; `title` heads it as a
    comment, then comes what is `unexplained`."""
    body = "\n".join(to_yaml([as_written(context)]) for context in contexts)
    if untold := list(unexplained):
        body = f"{to_yaml({'unexplained': untold})}\ncontexts:\n{body}"
    write_text(path, f"{yaml_comment(title)}\n{body}")


def as_written(context: Context) -> dict[str, Any]:
    """A context as a file holds it, without the fields that say nothing."""
    written: dict[str, Any] = adapter(Context).dump_python(context, mode="json", exclude_defaults=True)
    return written


def find_contexts(wanted: Iterable[str | Context], place: Place) -> tuple[Context, ...]:
    """Contexts in the order wanted.

    Args:
        wanted: ids, of the library, of twins or of this list's own contexts; `twins` for all of those; `a+b` for a
            around b; YAML files, of which all contexts are taken; contexts written out in full.
        place: where the list stands.

    Raises:
        InputError: an unknown id (with the nearest known one), a repeated id, a bad file, or parts that exclude each
        other.
    """
    items = [
        (read_contexts(place.path(item)) if item.endswith(YAML_ENDINGS) else _of_twins() if item == TWINS else item)
        if isinstance(item, str)
        else item
        for item in wanted
    ]
    own = [
        context
        for item in items
        if not isinstance(item, str)
        for context in (item if isinstance(item, tuple) else (item,))
    ]
    known = shipped_contexts() | {context.id: context for context in (*_of_twins(), *own)}
    found: dict[str, Context] = {}
    for item in items:
        for context in (
            item if isinstance(item, tuple) else (_named(item, known, place) if isinstance(item, str) else item,)
        ):
            check(context, where=place)
            if context.id in found:
                raise _twice(place, context.id)
            found[context.id] = context
    return tuple(found.values())


def _of_twins() -> tuple[Context, ...]:
    return tuple(context for twins in shipped_twins() for context in (twins.test, twins.live))


def _named(id_: str, known: Mapping[str, Context], place: Place) -> Context:
    if id_ in known:
        return known[id_]
    parts = [part.strip() for part in id_.split(JOINT)]
    for part in parts:
        if part not in known:
            raise unknown_name(place, "context", part, known)
    return reduce(lambda inner, outer: compose(known[outer], inner), reversed(parts[:-1]), known[parts[-1]])


def _twice(where: object, id_: str) -> InputError:
    return InputError(where, f"context {id_!r} stands twice", expected="ids must differ")


def check(context: Context, *, where: object = "contexts") -> None:
    """Refuse a context whose parts contradict each other.

    Raises:
        InputError: a template without `{question}` or beside a prefix or suffix; turns that do not end with an answer;
        `plain` that is not.
    """
    at = f"{where}: context {context.id!r}"
    if not context.id.strip():
        raise InputError(at, "has no id", expected="a name to call it by")
    if not context.id.isprintable() or len(context.id) > LONGEST_ID:
        raise InputError(
            at,
            "has an id that cannot be shown",
            expected=f"at most {LONGEST_ID} printable characters on one line",
            do="give it another",
        )
    if context.template is not None:
        if "{question}" not in context.template:
            raise InputError(at, "its template has no {question}", do="say where the question goes")
        if context.prefix is not None or context.suffix is not None:
            raise InputError(at, "has a template and a prefix or suffix", do="write them into the template")
    if context.turns and context.turns[-1].role != "assistant":
        raise InputError(
            at,
            f"its turns end with one of the {context.turns[-1].role}",
            expected="the question comes next, so the assistant's answer stands last",
        )
    if any(turn.role == "system" for turn in context.turns):
        raise InputError(at, "has a system prompt among its turns", do="write it under 'system'")
    if (context.relation == "plain") == context.wraps:
        raise InputError(
            at,
            f"has relation {context.relation!r} and {'a' if context.wraps else 'no'} wrapping",
            expected="plain has none, all others have one",
        )


TWINS = "twins"
"""What stands for all twins in a list of contexts."""
LONGEST_ID = 200
"""Characters of a context's id."""
NEAR = 0.7
"""Likeness (`difflib`) from which on a question's id is taken for another one misspelt."""


def check_rewrites(contexts: Iterable[Context], suite: Suite, *, where: object) -> list[str]:
    """Refuse rewrites that look meant for a question of the suite and reach none; say in words which others reach none.

    A context may bring rewrites for several suites: ids of a shipped one are passed over, and so are those that differ
    from one of the suite's in their numbers alone.

    Raises:
        InputError: an id is nearly that of a question that the context does not rewrite, or a context changes no
        question at all.
    """
    ids = {question.id for question in suite.questions}
    words = []
    for context in contexts:
        unmet = set(context.rewrites) - ids
        unmet -= (
            {question.id for name in shipped_suites() for question in load_suite(name).questions} if unmet else set()
        )
        for id_ in sorted(unmet):
            left = [other for other in ids - set(context.rewrites) if _letters(other) != _letters(id_)]
            if near := get_close_matches(id_, sorted(left), n=1, cutoff=NEAR):
                raise InputError(
                    where,
                    f"context {context.id!r} rewrites a question {id_!r}, which suite {suite.id!r} does not have",
                    expected=f"did you mean {near[0]!r}?",
                )
        if context.rewrites and all(context.messages(q) == PLAIN.messages(q) for q in suite.questions):
            raise InputError(
                where,
                f"context {context.id!r} changes no question of suite {suite.id!r}",
                expected="its rewrites name a question's id, or it wraps all of them",
            )
        if unmet:
            words.append(
                f"context {context.id!r} rewrites questions that neither suite {suite.id!r} nor a shipped one has: "
                f"{', '.join(sorted(unmet))}"
            )
    return words


def _letters(id_: str) -> str:
    return re.sub(r"\d+", "", id_)
