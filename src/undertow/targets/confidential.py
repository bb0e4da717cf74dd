"""Settings that hold a secret are refused, since a run keeps its settings in files: keys are named by the environment
variable that holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic_core import PydanticCustomError

NAMES = re.compile(
    r"api[_-]?key|subscription[_-]?key|authori[sz]ation|secret|passw|^pwd$|bearer|credential|^x-.*(?:key|token)|"
    r"^(?:auth|access)[_-]?token$",
    re.IGNORECASE,
)
"""Names of settings whose values are secrets."""
MAY_BE = re.compile(r"(?:^|(?<!cache)[_-])(?:key|token|pass)$", re.IGNORECASE)
"""Names of settings whose values are secrets where they look like keys."""
HEADER = re.compile(r"(?:[\w-]+:\s*)?(?:bearer|basic)\s+\S{12,}", re.IGNORECASE)
"""Secrets by their form, whatever their name."""
IN_URLS = re.compile(r"key|token|secret|passw|^(?:code|sig|signature|auth|authorization)$", re.IGNORECASE)
"""Names in a URL's query, or behind its #, whose values are secrets."""


def looks_like_a_key(text: str) -> bool:
    """Whether a text is likelier a key than a name: long, with digits, and no words between underscores."""
    return len(text) >= 24 and not text.isupper() and any(map(str.isdigit, text))


def secrets_in(value: Any, name: str = "", *, always: bool = False) -> Iterator[str]:
    """The names under which settings hold secrets, however deep they stand; of a URL what part of it does.

    Args:
        always: whether names of secrets are enough, whatever they hold.
    """
    if isinstance(value, Mapping):
        for key, held in value.items():
            if NAMES.search(str(key)) and (always or _holds_text(held)):
                yield repr(key)
            else:
                yield from secrets_in(held, str(key))
    elif isinstance(value, list | tuple):
        for held in value:
            yield from secrets_in(held, name)
    elif isinstance(value, str):
        if "://" in value and (part := _in_url(value)):
            yield part
        elif (MAY_BE.search(name) and looks_like_a_key(value)) or HEADER.fullmatch(value.strip()):
            yield repr(name)


def _holds_text(value: Any) -> bool:
    """Whether a value is text, or holds nothing else: a secret in a list, or under `value`; the schema of a field that
    is called `password` is none."""
    if isinstance(value, Mapping):
        return "type" not in value and any(map(_holds_text, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_text, value))
    return isinstance(value, str) and bool(value)


def _in_url(url: str) -> str:
    if "@" in url.partition("://")[2].partition("/")[0]:
        return "a user name or a password"
    try:
        parts = urlsplit(url)
        asked = [*parse_qsl(parts.query), *parse_qsl(parts.fragment)]
    except ValueError:
        return ""
    return next((repr(name) for name, held in asked if held and IN_URLS.search(name)), "")


def without_secrets(value: Any, *, do: str, always: bool = False) -> Any:
    """The value, as a validator wants it.

    Raises:
        PydanticCustomError: it holds a secret.
    """
    if found := next(secrets_in(value, always=always), None):
        words = "holds {what}, which would be kept in files; {do}"
        raise PydanticCustomError("secret", words, {"what": found, "do": do})
    return value
