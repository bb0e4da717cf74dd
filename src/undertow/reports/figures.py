"""Figures of findings, drawn with Altair and rendered by vl-convert, with neither browser nor network.

Colours are fixed values in the figure; the page's style sheet maps each of them to its light or dark token.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import altair as alt

from undertow.audits.findings import Findings
from undertow.files import write_bytes
from undertow.records import ContextEstimate
from undertow.words import percent, span

Group = Literal["plain", "trigger", "irrelevant control"]

COLOURS: dict[Group, str] = {"plain": "#4a6fa5", "trigger": "#c4541d", "irrelevant control": "#2f8f83"}
INK, SOFT, LINE, CARD = "#20252e", "#5d6673", "#e4e2dc", "#ffffff"
WIDTH, ROW = 470, 34
"""Of the plotting area and of a row in it, in pixels."""
X_AT: Any = alt.XValue
"""A place in pixels; of `alt.value`, all of Altair's classes would be gone through."""
Y_AT: Any = alt.YValue
FONT = "Liberation Sans, Helvetica, Arial, sans-serif"


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


def forest(findings: Findings) -> alt.LayerChart:
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
    figure: alt.LayerChart = styled(alt.layer(*layers).properties(width=WIDTH, height=max(1, len(rows)) * ROW))
    return figure


def styled(chart: Any) -> Any:
    """A figure in the page's type and colours."""
    return chart.properties(background="transparent", padding=6).configure(
        font=FONT,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=INK,
            titleColor=SOFT,
            titleFontWeight="normal",
            titleFontSize=12,
            gridColor=LINE,
            labelFontSize=11.5,
        ),
        legend=alt.LegendConfig(labelColor=INK, titleColor=SOFT, titleFontWeight="normal"),
        header=alt.HeaderConfig(labelColor=INK, titleColor=SOFT),
        title=alt.TitleConfig(color=INK, fontSize=13, anchor="start"),
    )


def svg(chart: Any) -> str:
    """A figure as SVG text, transparent, to stand inside a page."""
    import vl_convert

    spec = chart.to_dict(validate=False, context={"pre_transform": False})
    drawing: str = vl_convert.vegalite_to_svg(spec, vl_version=".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2]))
    return drawing


def png(chart: Any, path: Path, *, drawing: str | None = None) -> Path:
    """A figure as a PNG file on white, at scale 2; written whole or not at all.

    Args:
        drawing: the figure as SVG text, where it has been drawn.
    """
    import vl_convert

    drawing = svg(chart) if drawing is None else drawing
    root, width, height = re.findall(r'^(<svg [^>]*width="([^"]+)" height="([^"]+)"[^>]*>)', drawing)[0]
    on_white = f'{root}<rect width="{width}" height="{height}" fill="white"/>'
    write_bytes(path, vl_convert.svg_to_png(drawing.replace(root, on_white, 1), scale=2))
    return path


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
