"""Contexts: what wraps a question, as YAML files."""

from undertow.contexts.load import find_contexts, shipped_contexts

__all__ = ["find_contexts", "shipped_contexts"]
