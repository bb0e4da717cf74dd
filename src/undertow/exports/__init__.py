"""Exports: a run's answers, or a persona's readings, as rows for other tools: tables, Inspect logs and data frames."""

from undertow.exports.columns import ANSWERS, READINGS, Column, Row
from undertow.exports.export import Exported, ExportedRun, export, rows_of

__all__ = ["ANSWERS", "READINGS", "Column", "Exported", "ExportedRun", "Row", "export", "rows_of"]
