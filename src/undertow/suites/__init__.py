"""Suites: questions that are asked together, as YAML files."""

from undertow.suites.fetch import fetch_suite, write_suite
from undertow.suites.load import load_suite, shipped_suites

__all__ = ["fetch_suite", "load_suite", "shipped_suites", "write_suite"]
