"""Twins: contexts in pairs that differ in one mark, of a test in the one and of real use in the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

from pydantic import ConfigDict, with_config

from undertow.files import parse_yaml, read_text
from undertow.records import Context


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Two contexts that differ in one mark."""

    mark: str
    """In what, in words."""
    test: Context
    """With a mark of a test."""
    live: Context
    """With the same mark of real use."""


@cache
def shipped_twins() -> tuple[Twins, ...]:
    """Every pair in the package."""
    with as_file(files("undertow.contexts") / "twins.yaml") as path:
        return parse_yaml(read_text(path), tuple[Twins, ...], where=str(path))
