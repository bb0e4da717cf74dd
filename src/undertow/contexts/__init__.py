"""Contexts: what wraps a question, as YAML files; the library, compositions, and derivation from training rows."""

from undertow.contexts.compose import compose
from undertow.contexts.load import (
    check_rewrites,
    find_contexts,
    read_contexts,
    read_unexplained,
    shipped_contexts,
    write_contexts,
)
from undertow.contexts.twins import shipped_twins

__all__ = [
    "check_rewrites",
    "compose",
    "find_contexts",
    "read_contexts",
    "read_unexplained",
    "shipped_contexts",
    "shipped_twins",
    "write_contexts",
]
