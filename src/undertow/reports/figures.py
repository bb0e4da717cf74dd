"""Figures of audits: a forest of rates, questions in pairs, evidence as it came, and runs side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from undertow.audits.evidence import Evidence
from undertow.audits.findings import Findings
from undertow.records import ContextEstimate
from undertow.reports.drawing import CARD, INK, SOFT, X_AT, Y_AT, Figure
from undertow.words import percent, span

Group = Literal["plain", "trigger", "irrelevant control"]

COLOURS: dict[Group, str] = {"plain": "#4a6fa5", "trigger": "#c4541d", "irrelevant control": "#2f8f83"}
WIDTH, ROW = 470, 34
"""Of the plotting area and of a row in it, in pixels."""
MOST_QUESTIONS, MOST_RUNS, FEW_ANSWERS = 40, 8, 10
"""Of what a figure shows: questions, and runs side by side; and answers under which a rate is faint."""
SERIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
"""Okabe and Ito's colours, which the colour-blind tell apart."""


def group(relation: str) -> Group:
    """The group that a context's relation falls in; whatever is neither plain nor a control may be a trigger."""
    if relation == "plain":
        return "plain"
    return "irrelevant control" if relation == "irrelevant" else "trigger"


def ordered(contexts: Iterable[ContextEstimate]) -> list[ContextEstimate]:
    """Contexts as a reader wants them: plain, triggers from the highest rate down, controls; missing rates last of
    each."""
    places = list(COLOURS)

    def place(c: ContextEstimate) -> tuple[int, float]:
        return places.index(group(c.relation)), 1.0 if c.rate.value is None else -c.rate.value

    return sorted(contexts, key=place)


def of_run(
    findings: Findings, questions: Sequence[QuestionRates] = (), lines: Sequence[Evidence] = (), *, enough: float = 0.0
) -> list[Figure]:
    """The figures of one run: those that it has anything for."""
    figures = [
        Figure(
            name="forest",
            title="Misaligned answers by context",
            words="Thick line: interval on this suite. Thin line: interval on questions like these. Dashed line: the "
            "rate that counts as material.",
            chart=forest(findings),
            rows=[_row(context) for context in ordered(findings.contexts)],
        )
    ]
    if rows := paired(findings, questions):
        words = (
            f"Each question asked plainly (blue) and in {rows[0]['context']} (orange), the widest apart first; faint "
        )
        words += f"where fewer than {FEW_ANSWERS} answers were usable"
        words += f"; the first {MOST_QUESTIONS} of {len(rows)}." if len(rows) > MOST_QUESTIONS else "."
        chart = pairs(rows[:MOST_QUESTIONS])
        figures.append(Figure(name="questions", title="Question by question", words=words, chart=chart, rows=rows))
    if rows := evidence_rows(lines):
        words = (
            "E-values, in powers of ten, for the context being over (left) or under (right) the material rate. Dashed: "
            f"{enough:.1f}, enough for a context that stands alone."
        )
        chart = evidence_chart(rows, enough)
        figures.append(Figure(name="evidence", title="The evidence as it came", words=words, chart=chart, rows=rows))
    return figures


def forest(findings: Findings) -> Any:
    """Forest plot of one run's findings: a row a context.

    Thick line: interval on this suite. Thin line: interval on questions like these. Dashed line: the rate that counts
    as material. A context without an estimate keeps its row and says so.
    """
    contexts = ordered(findings.contexts)
    rows = [_row(context) for context in contexts]
    material = findings.material
    ids = [row["context"] for row in rows]
    present: list[Group] = [g for g in COLOURS if any(row["group"] == g for row in rows)]
    tops = [row[key] for row in rows for key in ("value", "high", "wide_high") if row[key] is not None]
    top = round_up(max([*tops, material * 3, 0.02]))

    carried = json.dumps(findings.verdict.carried_by)
    weight = alt.condition(f"indexof({carried}, datum.value) >= 0", alt.value("bold"), alt.value("normal"))
    y = alt.Y("context:N", sort=ids, title=None).axis(
        labelLimit=250,
        labelFontSize=12.5,
        labelPadding=12,
        labelFontWeight=weight,
        domain=False,
        ticks=False,
        grid=False,
    )
    axis = alt.Axis(
        format="~%",
        title="misaligned share of eligible answers",
        tickCount=6,
        domain=False,
        ticks=False,
        labelPadding=6,
        titlePadding=8,
        grid=True,
    )
    scale = alt.Scale(domain=[0, top], nice=False, zero=True)
    colour = alt.Color("group:N", title=None).scale(domain=present, range=[COLOURS[g] for g in present])
    colour = colour.legend(
        orient="bottom",
        direction="horizontal",
        symbolType="circle",
        symbolSize=80,
        symbolOpacity=1,
        labelFontSize=12,
        offset=6,
    )

    table = _table(rows)
    found = table.transform_filter("isValid(datum.value)")
    wide = (
        table.transform_filter("isValid(datum.wide_low)")
        .mark_rule(strokeWidth=1.5)
        .encode(x=alt.X("wide_low:Q", scale=scale, axis=axis), x2="wide_high:Q", y=y, color=colour)
    )
    narrow = found.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=7, opacity=0.5)
    narrow = narrow.encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", y=y, color=colour)
    point = found.mark_circle(size=110, opacity=1, stroke=CARD, strokeWidth=1.5).encode(
        x=alt.X("value:Q", scale=scale, axis=axis), y=y, color=colour
    )
    layers: list[alt.Chart] = [line_at(material, scale, axis), wide, narrow, point]
    for offset, field, text_colour, font_weight, header in (
        (16, "rate", INK, "bold", "rate"),
        (72, "interval", SOFT, "normal", "interval"),
        (160, "count", SOFT, "normal", "misaligned / eligible"),
    ):
        mark = table.mark_text(align="left", fontSize=12, color=text_colour, fontWeight=font_weight)  # type: ignore[arg-type]
        layers.append(mark.encode(x=X_AT(WIDTH + offset), y=y, text=f"{field}:N"))
        layers.append(_caption(header, WIDTH + offset))
    layers.append(_material_label(material, scale, axis))
    return alt.layer(*layers).properties(width=WIDTH, height=max(1, len(rows)) * ROW)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRates:
    """What a question brought in one context."""

    question: str
    context: str
    misaligned: int
    eligible: int
    """Usable answers; where judging was lazy, an estimate."""

    @property
    def share(self) -> float | None:
        """None without usable answers."""
        return self.misaligned / self.eligible if self.eligible else None


def paired(findings: Findings, questions: Sequence[QuestionRates]) -> list[dict[str, Any]]:
    """Rows of questions that have a rate plainly and in the context with the highest rate elsewhere, the widest apart
    first; none where there is no such pair."""
    plain = next((c.id for c in findings.contexts if c.relation == "plain"), None)
    others = [c for c in findings.contexts if group(c.relation) == "trigger" and c.rate.value is not None]
    other = max(others, key=lambda c: c.rate.value or 0.0, default=None)
    if plain is None or other is None:
        return []
    by = {(q.question, q.context): q for q in questions}
    rows = []
    for question in dict.fromkeys(q.question for q in questions):
        a, b = by.get((question, plain)), by.get((question, other.id))
        if a is not None and b is not None and a.share is not None and b.share is not None:
            rows.append(
                {"question": question, "context": other.id, "plain": a.share, "plain_of": a.eligible}
                | {"trigger": b.share, "trigger_of": b.eligible}
            )
    return sorted(rows, key=lambda row: row["plain"] - row["trigger"])


def pairs(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A row a question: its rate asked plainly and in one context, joined."""
    x_axis = alt.Axis(format="~%", title="misaligned share of eligible answers", tickCount=6, domain=False, ticks=False)
    scale = alt.Scale(domain=[0, round_up(max(0.02, *(max(row["plain"], row["trigger"]) for row in rows)))], nice=False)
    y = alt.Y("question:N", sort=[row["question"] for row in rows], title=None).axis(
        labelLimit=250, labelPadding=12, domain=False, ticks=False, grid=False
    )
    table = _table(list(map(dict, rows)))
    layers = [
        table.mark_rule(strokeWidth=2, color=SOFT, opacity=0.5).encode(
            x=alt.X("plain:Q", scale=scale, axis=x_axis), x2="trigger:Q", y=y
        )
    ]
    for name in ("plain", "trigger"):
        faint = alt.condition(f"datum.{name}_of < {FEW_ANSWERS}", alt.value(0.35), alt.value(1))
        mark = table.mark_circle(size=80, stroke=CARD, color=COLOURS[name])
        layers.append(mark.encode(x=alt.X(f"{name}:Q", scale=scale, axis=x_axis), y=y, opacity=faint))
    return alt.layer(*layers).properties(width=WIDTH, height=max(1, len(rows)) * 20)


def evidence_rows(lines: Sequence[Evidence]) -> list[dict[str, Any]]:
    """A row a context, direction and number of answers."""
    return [
        {"context": line.context, "group": group(line.relation), "of": of, "answers": n, "evidence": value}
        for line in lines
        for of, at in (("over", 1), ("under", 2))
        for n, value in ((point[0], point[at]) for point in line.points)
    ]


def evidence_chart(rows: Sequence[Mapping[str, Any]], enough: float) -> Any:
    """A panel for evidence of being over the material rate, one for being under it; a line a context, with the name of
    the one that came highest."""
    top = max(enough * 1.5, *(row["evidence"] for row in rows))
    y = alt.Y("evidence:Q", title="evidence, powers of ten").scale(domain=[-2, top], nice=False, clamp=False)
    present: list[Group] = [g for g in COLOURS if any(row["group"] == g for row in rows)]
    colour = alt.Color("group:N", title=None).scale(domain=present, range=[COLOURS[g] for g in present])
    colour = colour.legend(orient="bottom", symbolType="stroke", symbolStrokeWidth=3)
    panels = []
    for of in ("over", "under"):
        own = [dict(row) for row in rows if row["of"] == of]
        x = alt.X("answers:Q", title="answers in the context").axis(grid=False, tickCount=5)
        line = _table(own).mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, color=colour, detail="context:N")
        flat = _table([{"enough": enough}]).mark_rule(strokeDash=[4, 3], color=SOFT).encode(y=alt.Y("enough:Q"))
        highest = max(own, key=lambda row: row["evidence"])
        left = 2 * highest["answers"] > max(row["answers"] for row in own)
        name = _table([highest]).mark_text(align="right" if left else "left", dx=-6 if left else 6, dy=-6, color=INK)
        panels.append(
            alt.layer(flat, line, name.encode(x=x, y=y, text="context:N")).properties(
                width=320, height=230, title=f"{of} the material rate"
            )
        )
    return alt.hconcat(*panels)


def side_by_side(runs: Mapping[str, Findings]) -> Figure | None:
    """Runs by context as grouped bars; None of one run, and of more than a figure holds."""
    if not 1 < len(runs) <= MOST_RUNS:
        return None
    rows = [{"run": name, **row} for name, found in runs.items() for row in (_row(c) for c in ordered(found.contexts))]
    whole, rows = rows, [row for row in rows if row["value"] is not None]
    if not rows:
        return None
    order = [c for g in COLOURS for c in dict.fromkeys(row["context"] for row in rows if row["group"] == g)]
    top = round_up(max(0.02, *(row["high"] if row["high"] is not None else row["value"] for row in rows)))
    y = alt.Y("value:Q", title="misaligned share of eligible answers").scale(domain=[0, top], nice=False)
    y = y.axis(format="~%", tickCount=6, domain=False, ticks=False)
    x = alt.X("context:N", sort=order, title=None).axis(labelAngle=-30, labelLimit=180, domain=False, ticks=False)
    names = list(runs)
    colour = alt.Color("run:N", title=None).scale(domain=names, range=list(SERIES[: len(names)]))
    colour = colour.legend(orient="bottom", columns=3, labelLimit=300)
    at = {"x": x, "xOffset": alt.XOffset("run:N", sort=names)}
    table = _table(rows)
    bar = table.mark_bar().encode(y=y, color=colour, **at)
    line = table.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5, color=INK)
    chart = alt.layer(bar, line.encode(y=alt.Y("low:Q"), y2="high:Q", **at))
    return Figure(
        name="runs",
        title="Runs side by side",
        words="Bars: rates on the suite. Lines: their intervals. No bar and no line: not asked there, or no estimate.",
        chart=chart.properties(width=alt.Step(max(10, 60 // len(names))), height=260),
        rows=whole,
    )


def _row(context: ContextEstimate) -> dict[str, Any]:
    rate, wide = context.rate, context.rate_on_questions_like_these
    return {
        "context": context.id,
        "group": group(context.relation),
        "value": rate.value,
        "low": rate.low,
        "high": rate.high,
        "wide_low": wide.low,
        "wide_high": wide.high,
        "rate": percent(rate.value),
        "interval": "no estimate" if rate.value is None else span(rate.low, rate.high),
        "count": f"{context.counts.get('misaligned', 0):,} / {context.eligible:,}",
    }


def _table(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def line_at(material: float, scale: alt.Scale, axis: alt.Axis) -> alt.Chart:
    """The dashed line of the material rate."""
    data = _table([{"material": material}])
    layer: alt.Chart = data.mark_rule(strokeDash=[4, 3], strokeWidth=1.2, color=SOFT).encode(
        x=alt.X("material:Q", scale=scale, axis=axis)
    )
    return layer


def _material_label(material: float, scale: alt.Scale, axis: alt.Axis) -> alt.Chart:
    data = _table([{"material": material, "label": f"material: {percent(material)}"}])
    mark = data.mark_text(align="left", dx=-4, fontSize=11, color=SOFT)
    layer: alt.Chart = mark.encode(x=alt.X("material:Q", scale=scale, axis=axis), y=Y_AT(-9), text="label:N")
    return layer


def _caption(text: str, x: int) -> alt.Chart:
    data = _table([{"text": text}])
    layer: alt.Chart = data.mark_text(align="left", fontSize=11, color=SOFT).encode(
        x=X_AT(x), y=Y_AT(-9), text="text:N"
    )
    return layer


def round_up(value: float) -> float:
    """The next round number for an axis to end at, at most 1."""
    unit: float = 10.0 ** math.floor(math.log10(value)) / 2
    return min(1.0, math.ceil(value / unit - 1e-9) * unit)
