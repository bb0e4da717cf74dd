"""Suites: questions that are asked together, as YAML files."""

from undertow.suites.load import load_suite, shipped_suites

__all__ = ["load_suite", "shipped_suites"]
