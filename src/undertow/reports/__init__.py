"""Report: what an audit or a persona run found, as one self-contained HTML page and its figures."""

from undertow.reports.drawing import svg
from undertow.reports.explorer import AnswerView
from undertow.reports.figures import forest
from undertow.reports.page import RunView, statement_words, write_report
from undertow.reports.persona import across, write_persona_report
from undertow.reports.profiles import shown_profiles

__all__ = [
    "AnswerView",
    "RunView",
    "across",
    "forest",
    "shown_profiles",
    "statement_words",
    "svg",
    "write_persona_report",
    "write_report",
]
