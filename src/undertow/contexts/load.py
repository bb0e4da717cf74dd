"""Finding and reading contexts: the shipped library by id, and a user's own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import as_file, files

from undertow.errors import InputError, unknown_name
from undertow.files import read_yaml
from undertow.records import Context


@cache
def shipped_contexts() -> dict[str, Context]:
    """Every context in the package, by id."""
    with as_file(files("undertow.contexts") / "library.yaml") as path:
        contexts = read_yaml(path, tuple[Context, ...])
    for context in contexts:
        check(context)
    return {context.id: context for context in contexts}


def find_contexts(wanted: Iterable[str | Context], *, where: object) -> tuple[Context, ...]:
    """Contexts in the order wanted: ids from the library, or contexts written out in full.

    Raises:
        InputError: an unknown id (with the nearest known one), a repeated id, or parts that exclude each other.
    """
    library = shipped_contexts()
    found: dict[str, Context] = {}
    for item in wanted:
        if isinstance(item, str) and item not in library:
            raise unknown_name(where, "context", item, library)
        context = library[item] if isinstance(item, str) else item
        if context.id in found:
            raise InputError(where, f"context {context.id!r} stands twice", expected="ids must differ")
        check(context, where=where)
        found[context.id] = context
    return tuple(found.values())


def check(context: Context, *, where: object = "contexts") -> None:
    """Refuse a context whose parts contradict each other.

    Raises:
        InputError: a template without `{question}` or beside a prefix or suffix; `plain` that is not.
    """
    at = f"{where}: context {context.id!r}"
    if context.template is not None:
        if "{question}" not in context.template:
            raise InputError(at, "its template has no {question}", do="say where the question goes")
        if context.prefix is not None or context.suffix is not None:
            raise InputError(at, "has a template and a prefix or suffix", do="write them into the template")
    wraps = any((context.system, context.template, context.prefix, context.suffix))
    if (context.relation == "plain") == wraps:
        raise InputError(at, f"has relation {context.relation!r} and {'a' if wraps else 'no'} wrapping", expected="plain has none, all others have one")
