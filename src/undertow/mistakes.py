"""What does not fit in a file, in our words: pydantic finds it, and its own words stay inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from undertow.errors import InputError
from undertow.keys import Keys

RUN_NAME = r"^[\w.-]*\w[\w.-]*$"
PLAIN_NAME = r"^[A-Za-z0-9][\w-]*$"
JSONL_NAME = r"^[\w-][\w.-]*\.jsonl$"
URL = r"^https?://[^/]"
FORMS = {
    RUN_NAME: "letters, digits, dots, dashes and underscores, as a folder's name",
    PLAIN_NAME: "letters, digits, dashes and underscores, beginning with a letter or a digit",
    JSONL_NAME: "a file's name that ends in .jsonl",
    URL: "a URL that begins with http:// or https://",
}
"""The regular expressions that texts are held against, in words."""

_MAPPING, _LIST, _WHOLE, _NUMBER, _SWITCH, _TEXT = (
    "keys with values",
    "a list",
    "a whole number",
    "a number",
    "true or false",
    "text",
)
SHAPES = {
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "float_type": _NUMBER,
    "bool_type": _SWITCH,
    "none_required": "null",
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"), _LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"), _MAPPING),
}
"""What a value should be that is of another shape, by pydantic's type of the error."""
WORDS = {
    **{type_: f"should be {what}" for type_, what in SHAPES.items()},
    **dict.fromkeys(("int_parsing", "int_from_float", "int_parsing_size"), f"should be {_WHOLE}"),
    "float_parsing": f"should be {_NUMBER}",
    "finite_number": "should be a finite number",
    "bool_parsing": f"should be {_SWITCH}",
    "greater_than": "should be over {gt:g}",
    "greater_than_equal": "should be at least {ge:g}",
    "less_than": "should be under {lt:g}",
    "less_than_equal": "should be at most {le:g}",
    "multiple_of": "should be a multiple of {multiple_of}",
    "literal_error": "should be {expected}",
    "enum": "should be {expected}",
    "too_short": "should hold at least {min_length} item(s)",
    "too_long": "should hold at most {max_length} item(s)",
    "string_too_short": "should have at least {min_length} character(s)",
    "string_too_long": "should have at most {max_length} character(s)",
    "string_unicode": "should be text",
    "invalid_key": "should be text, as every key",
    "recursion_loop": "holds itself",
    "missing": "is missing",
    "extra_forbidden": "is no key here",
    "unexpected_keyword_argument": "is no key here",
}
"""What is wrong, by pydantic's type of the error."""
OTHER = "is not what belongs here"
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
FOLLOWS = ("missing", "too_short")
"""These follow from a misspelt key, or from what is wrong inside."""


def run_name(text: str) -> str:
    """A text as a run may be called: what a folder's name does not take becomes dashes; empty where nothing else is in
    it."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")


def in_words(problem: ErrorDetails) -> str:
    """One of pydantic's findings in our words, without its place; a validator of a type's own says it itself."""
    type_, context = problem["type"], problem.get("ctx", {})
    if type_ == "string_pattern_mismatch":
        return f"should be {FORMS.get(context['pattern'], 'of the form that its explanation says')}"
    if type_ == "union_tag_not_found":
        return f"{_field(context)!r} is missing"
    if type_ == "union_tag_invalid":
        return f"unknown {_field(context)} {context['tag']!r}"
    if type_ in WORDS:
        return WORDS[type_].format(**context).replace("(s)", "" if 1 in context.values() else "s")
    if type_ in ("value_error", "assertion_error"):
        return str(context["error"])
    return OTHER if type_ in get_args(ErrorType) else problem["msg"]


def with_place(problem: ErrorDetails) -> str:
    """The same with its place."""
    return f"{'.'.join(map(str, problem['loc']))}: {in_words(problem)}"


def first_mistake(problems: Sequence[ErrorDetails], node: Any, where: str, keys: Keys) -> InputError:
    """The mistake to mend first, with its line, what was expected, and what to do.

    Args:
        node: the file's YAML as composed nodes; None for an empty file.
        keys: what the file takes.
    """
    # a misspelt key first: it is why another is missing
    problems = sorted(problems, key=lambda problem: problem["type"] not in UNKNOWN)
    places = [_place(problem, node) for problem in problems]
    # of a union, the member that was meant
    deeper = [n for n, place in enumerate(places) if not any(_within(other, place) for other in places)] or [0]
    first, place = problems[deeper[0]], places[deeper[0]]
    type_, key = first["type"], ".".join(map(str, place)) or "the file"
    found, do = f"{key}: {in_words(first)}", ""
    if not place and first["input"] is None:
        found = "is empty"
    elif type_ in UNKNOWN:
        found, do = f"unknown key {key!r}", _where_it_goes(place, first["loc"][:-1], keys)
    elif type_ == "missing" and isinstance(place[-1], int):
        found = f"{'.'.join(map(str, place[:-1]))}: should hold {place[-1] + 1} items at least"
    elif type_ == "missing":
        found = f"{key!r} is missing"
    elif type_ == "union_tag_not_found":
        found, do = f"{key!r} is missing", f"one of {', '.join(keys.kinds(first['loc']))}"
    elif type_ == "union_tag_invalid":
        found, do = (
            (f"{'.'.join(map(str, place[:-1])) or 'the file'}: {in_words(first)}"),
            _nearest(first["ctx"]["tag"], keys.kinds(first["loc"])),
        )
    elif type_ in SHAPES:
        shapes = dict.fromkeys(
            SHAPES[p["type"]] for p, at in zip(problems, places, strict=True) if at == place and p["type"] in SHAPES
        )
        of_kinds = ", 'kind' among them" if _MAPPING in shapes and keys.kinds(first["loc"]) else ""
        found = f"{key}: should be {' or '.join(shapes)}{of_kinds}{_what_stands(first['input'])}"
    elif type_ in WORDS or isinstance(first["input"], str | int | float):
        found += _what_stands(first["input"]) if type_ != "secret" else ""
    if type_ == "literal_error" and isinstance(first["input"], str):
        do = _nearest(first["input"], re.findall(r"'([^']*)'", first["ctx"]["expected"]), known=False)
    alone = {places[n] for n in deeper if problems[n]["type"] not in FOLLOWS or type_ == problems[n]["type"]}
    more = f"and {len(alone) - 1} more in this file" if len(alone) > 1 else ""
    return InputError(f"{where}:{_find(node, place)[0]}", found, expected=more, do=do)


def _field(context: Mapping[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _place(problem: ErrorDetails, node: Any) -> tuple[Any, ...]:
    """The keys and numbers that lead to a problem, as far as the text holds them, and the key that it lacks."""
    held = _find(node, problem["loc"])[1]
    lacks = (
        problem["loc"][-1:]
        if problem["type"] == "missing"
        else (_field(problem["ctx"]),)
        if problem["type"].startswith("union_tag_")
        else ()
    )
    return (*held, *lacks)


def _within(inner: tuple[Any, ...], outer: tuple[Any, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _what_stands(value: Any) -> str:
    """What was found, in brackets."""
    if value is None or isinstance(value, bool):
        what = {None: "nothing", True: "true", False: "false"}[value]
    else:
        what = (
            _MAPPING
            if isinstance(value, Mapping)
            else ("a list" if value else "an empty list")
            if isinstance(value, list | tuple)
            else repr(value)
        )
    return f" (found {what if len(what) <= 80 else f'{what[:79]}…'})"


def _nearest(name: str, among: Sequence[str], *, known: bool = True) -> str:
    """The name that was meant, or all that there are."""
    near = get_close_matches(name, [other for other in among if other != name], n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(among)}" if known and among else ""


def _where_it_goes(place: tuple[Any, ...], loc: Sequence[Any], keys: Keys) -> str:
    """The key of this place that was meant; else where this one belongs, and all that the place takes."""
    key, own = str(place[-1]), tuple(part for part in place[:-1] if isinstance(part, str))
    said = _nearest(key, keys.known(loc))
    if said.startswith("did"):
        return said
    taking = keys.taking(key)
    kinds = [kind for path, kind in taking if path == own and kind]
    inside = [path for path, _ in taking if path[: len(own)] == own and path != own]
    paths = inside if own and inside else [path for path, _ in taking if path != own]
    shortest = list(dict.fromkeys(path for path in paths if len(path) == min(map(len, paths))))[:3]
    goes = [f"under {'.'.join(path)!r}" if path else "at the top of the file" for path in shortest]
    belongs = (
        (f"{key!r} is a key of kind {' or '.join(kinds)}")
        if kinds
        else f"{key!r} goes {' or '.join(goes)}"
        if goes
        else ""
    )
    return "; ".join(filter(None, (belongs, said)))


def _find(node: Any, loc: Sequence[Any]) -> tuple[int, list[Any]]:
    """Line, from 1, of the deepest part of `loc` that the YAML text holds, and its parts that the text holds: pydantic
    also names members of unions."""
    line, held = node.start_mark.line + 1 if node else 1, []
    for part in loc:
        value = getattr(node, "value", None)
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            pairs = {key.value: (key, under) for key, under in value}
            if str(part) not in pairs:
                continue
            key, node = pairs[str(part)]
            line = key.start_mark.line + 1
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            node = value[part]
            line = node.start_mark.line + 1
        else:
            continue
        held.append(part)
    return line, held
