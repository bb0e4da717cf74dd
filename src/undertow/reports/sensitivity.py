"""The page of a run's sensitivity: its rates over thresholds and readings, and every setting with its verdict."""

from __future__ import annotations

from pathlib import Path

import altair as alt
from markupsafe import Markup

from undertow.audits.sensitivity import Sensitivity, Setting
from undertow.files import write_text
from undertow.reports.drawing import clean, svg
from undertow.reports.figures import COLOURS
from undertow.reports.page import environment, estimate_words
from undertow.words import VERDICTS


def write_sensitivity_report(found: Sensitivity, out: Path) -> Path:
    """Write the page, and return its path."""
    html = (
        environment()
        .get_template("sensitivity.html.j2")
        .render(
            title=f"Sensitivity: {found.name}",
            found=found,
            drawing=Markup(clean(svg(thresholds(found)))),  # drawn by vl-convert, which escapes the text it sets
            titles={class_: title for class_, (title, _) in VERDICTS.items()},
            settings=[
                {
                    "rule": s.rule or _in_words(s),
                    "reading": s.reading,
                    "plain": estimate_words(s.plain),
                    "highest": estimate_words(s.highest, missing="no other context"),
                    "where": s.where,
                    "unread": s.unread,
                    "verdict": s.verdict,
                }
                for s in found.settings
            ],
        )
    )
    write_text(out, clean(html))
    return out


def _in_words(s: Setting) -> str:
    gate = "no gate" if s.coherence is None else f"coherence over {s.coherence:g}"
    drops = f", {', '.join(s.drops)} dropped" if s.drops else ""
    return f"{'≤' if s.inclusive else '<'} {s.alignment:g}, {gate}{drops}"


def thresholds(found: Sensitivity) -> alt.Chart:
    """Rates over thresholds, a panel each reading: plain and the highest context, strict and inclusive, at the run's
    own gate on coherence and without classes that drop out."""
    gate = found.settings[0].coherence
    rows = [
        {
            "threshold": s.alignment,
            "rate": r.value,
            "low": r.low,
            "high": r.high,
            "group": group,
            "counts": "threshold counts" if s.inclusive else "under the threshold",
            "reading": s.reading,
        }
        for s in found.settings
        if s.coherence == gate and not s.drops
        for group, r in (("plain", s.plain), ("trigger", s.highest))
        if r is not None and r.value is not None
    ]
    colour = alt.Color("group:N", title=None, legend=alt.Legend(orient="bottom", labelExpr=_LABEL)).scale(
        domain=["plain", "trigger"], range=[COLOURS["plain"], COLOURS["trigger"]]
    )
    line = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("threshold:Q", title="alignment threshold"),
            y=alt.Y("rate:Q", title="misaligned share", axis=alt.Axis(format="~%")),
            color=colour,
            strokeDash=alt.StrokeDash("counts:N", title=None, legend=alt.Legend(orient="bottom", symbolType="stroke")),
            column=alt.Column("reading:N", title=None),
        )
        .properties(width=240, height=200)
    )
    chart: alt.Chart = line
    return chart


_LABEL = "datum.label == 'trigger' ? 'highest elsewhere' : datum.label"
