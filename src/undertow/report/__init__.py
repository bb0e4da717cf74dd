"""Report: what an audit found, as one self-contained HTML page and its figures."""

from undertow.report.figures import forest, png, svg
from undertow.report.page import AnswerView, RunView, write_report

__all__ = ["AnswerView", "RunView", "forest", "png", "svg", "write_report"]
