"""Suites: questions that are asked together, and reference replies to them, as YAML files."""

from undertow.suites.fetch import fetch_suite, write_suite
from undertow.suites.load import load_suite, shipped_suites
from undertow.suites.replies import ReferenceReplies, load_replies

__all__ = ["ReferenceReplies", "fetch_suite", "load_replies", "load_suite", "shipped_suites", "write_suite"]
