"""Suites: questions that are asked together, and reference replies to them, as YAML files."""

from undertow.suites.load import load_suite, shipped_suites
from undertow.suites.replies import ReferenceReplies, load_replies

__all__ = ["ReferenceReplies", "load_replies", "load_suite", "shipped_suites"]
