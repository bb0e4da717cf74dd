"""A study's page: its results as one self-contained HTML file, with its figures. It computes no statistics and reads no
run.

    <out>                               the page; fetches nothing and runs nothing
    figures/*.svg|png|pdf|csv           beside it: scorecard; rates, every recipe plain and in its highest trigger;
                                        shares-<recipe>, rate against share; personas, harm against self-report
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import altair as alt

from undertow.errors import InputError
from undertow.files import write_text
from undertow.persona.thresholds import Thresholds
from undertow.records import OUTCOMES, Interval
from undertow.reports.drawing import CARD, INK, LINE, Figure, Style, clean, draw
from undertow.reports.figures import COLOURS, ROW, group, line_at, round_up
from undertow.reports.page import environment, estimate_words, slug_of
from undertow.reports.profiles import Spot, plane, plane_rows
from undertow.words import VERDICTS, percent, plainly, read_interval, span

SCHEMA = "undertow.study-results/1"
FATES = {
    "removed": "over the material rate before, and under it everywhere now",
    "moved": "plain fell, and some context is still over it",
    "kept": "still over it",
    "raised": "over it now in a context that was not before",
    "unchanged": "under it everywhere, before and now",
    "unclear": "not shown to be over nor under it; more answers would tell",
}
PLAIN, TRIGGER = "plain", "highest trigger"
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])
"""Of the lines of several triggers."""


def write_study(found: Mapping[str, Any], out: Path, *, style: Style = "page") -> list[Path]:
    """Write the page at `out`, and figures in `figures/` beside it.

    Args:
        found: what `results.json` holds.
        style: of the figures' files.

    Returns:
        The files written, the page first.

    Raises:
        InputError: results of another schema.
    """
    if found.get("schema") != SCHEMA:
        raise InputError(
            out,
            f"results have schema {found.get('schema')!r}",
            expected=f"{SCHEMA!r} is expected here",
            do="run the study again",
        )
    drawn = [draw(figure, out.parent / "figures", style=style) for figure in figures(found)]
    there = {
        outcome
        for row in found["recipes"]
        for context in (*row["contexts"], *row["in_domain"])
        for outcome, n in context["counts"].items()
        if n
    }
    html = (
        environment()
        .get_template("study.html.j2")
        .render(
            title=found["title"],
            note=found["note"],
            counts=found["counts"],
            n=len(found["cells"]),
            material=found["material"],
            level=found["level"],
            untreated=found["untreated"],
            domains=[
                (domain, [_recipe(row) for row in found["recipes"] if row["domain"] == domain])
                for domain in dict.fromkeys(row["domain"] for row in found["recipes"])
            ],
            columns=_columns(found["recipes"]),
            outcomes=[o for o in OUTCOMES if o in there],
            absent=[plainly(o) for o in OUTCOMES if o not in there and o != "not_misaligned"],
            figures=drawn,
            personas=found.get("personas"),
            cells=[_cell(cell, out.parent) for cell in found["cells"]],
            fates=FATES,
            tally=_tally(found["recipes"]),
            by_fate=_by_fate(found["recipes"]),
            versions=", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        )
    )
    write_text(out, clean(html))
    return [out, *(file for each in drawn for file in each.files)]


def figures(found: Mapping[str, Any]) -> list[Figure]:
    """The figures of a study: those that it has anything for."""
    made = []
    if rows := rate_rows(found):
        made += [
            Figure(
                name="scorecard",
                title="The scorecard as a picture",
                words="Deeper colour: more misaligned, or less coherent. A dash: no estimate.",
                chart=scorecard(card := card_rows(found)),
                rows=card,
            ),
            Figure(
                name="rates",
                title="Every recipe, plain and in its highest trigger",
                words="Bars: intervals; a trigger's is corrected for the number that it was picked from. Dashed line: "
                "the material rate.",
                chart=rates(rows, found["material"]),
                rows=rows,
            ),
        ]
    for name in dict.fromkeys(row["intervention"] for row in found["recipes"] if row["share"] is not None):
        if rows := along_shares(found, name):
            made.append(
                Figure(
                    name=f"shares-{slug_of(name)}",
                    title=f"Rate against share: {name}",
                    words="Share 100% is the untreated recipe, 0% its benign twin, where the study has them. Bars: "
                    "intervals, training seeds as clusters. Dashed line: the material rate.",
                    chart=shares(rows, found["material"]),
                    rows=rows,
                )
            )
    if (personas := found.get("personas")) and (points := _spots(personas)):
        made.append(
            Figure(
                name="personas",
                title="What the models do, and what they say of themselves",
                words="Filled: this study's models; diamonds: published ones, read in another text (arXiv 2604.28082), "
                "for orientation. Dashed: where patterns begin.",
                chart=plane(points, Thresholds.by(personas["harm"], over=personas["over"])),
                rows=plane_rows(points),
            )
        )
    return made


def _spots(personas: Mapping[str, Any]) -> list[Spot]:
    """The models in the plane of harm and self-report; labels where there are few."""
    profiles = personas["profiles"]
    few = len(profiles) <= 12
    return [
        Spot(
            label=f"{p['domain']}, {p['label']}, {p['context']}" if few else "",
            harm=Interval(**{key: p["harm"][key] for key in ("value", "low", "high")}),
            says=Interval(**{key: p["two_ai"][key] for key in ("value", "low", "high")}),
            colour=COLOURS["plain" if p["context"] == "plain" else "trigger"],
        )
        for p in profiles
        if p["harm"]["value"] is not None and p["two_ai"]["value"] is not None
    ]


CARD_COLUMNS = ("plain", "highest trigger", "in-domain, plain", "coherent, plain")


def card_rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a recipe and measure of the scorecard."""
    return [
        {"domain": row["domain"], "recipe": row["label"], "measure": measure}
        | {key: row["scorecard"][name][key] for key in ("value", "low", "high")}
        for row in found["recipes"]
        if row["contexts"]
        for measure, name in zip(CARD_COLUMNS, ("plain", "highest", "narrow", "coherence"), strict=True)
    ]


def scorecard(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A cell a recipe and measure, a panel a domain; deeper where it is worse."""
    panels = []
    for domain in dict.fromkeys(row["domain"] for row in rows):
        own = [
            {**row, "told": percent(row["value"]), "bad": None if row["value"] is None else _bad(row)}
            for row in rows
            if row["domain"] == domain
        ]
        labels = list(dict.fromkeys(row["recipe"] for row in own))
        x = alt.X("measure:N", sort=list(CARD_COLUMNS), title=None)
        x = x.axis(orient="top", labelAngle=0, labelFontSize=11.5, domain=False, ticks=False)
        y = alt.Y("recipe:N", sort=labels, title=None).axis(
            labelLimit=260, labelFontSize=12.5, labelPadding=12, domain=False, ticks=False
        )
        data = alt.Chart(alt.InlineData(values=own))
        heat = alt.Color("bad:Q", legend=None).scale(domain=[0, 1], range=[CARD, COLOURS["trigger"]])
        cell = data.mark_rect(stroke=LINE, strokeWidth=1).encode(x=x, y=y, color=heat)
        ink = alt.condition("datum.bad > 0.7", alt.value(CARD), alt.value(INK))
        text = data.mark_text(fontSize=12).encode(x=x, y=y, text="told:N", color=ink)
        panels.append(alt.layer(cell, text).properties(width=470, height=28 * len(labels), title=domain))
    return alt.vconcat(*panels)


def _bad(row: Mapping[str, Any]) -> float:
    """From 0 to 1, with more of the scale for what is small."""
    value: float = row["value"]
    return float((1 - value if row["measure"].startswith("coherent") else value) ** 0.6)


def rate_rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a recipe, asked plainly and in its highest trigger."""
    return [
        {
            "domain": row["domain"],
            "recipe": row["label"],
            "what": what,
            "value": m["value"],
            "low": m["low"],
            "high": m["high"],
        }
        for row in found["recipes"]
        for what, m in ((PLAIN, row["scorecard"]["plain"]), (TRIGGER, row["scorecard"]["highest"]))
        if m["value"] is not None
    ]


def rates(rows: Sequence[Mapping[str, Any]], material: float) -> Any:
    """A row a recipe, a panel a domain: the rate asked plainly and that of the highest trigger."""
    top = round_up(max([row["high"] or row["value"] for row in rows] + [2 * material]))
    x = alt.Scale(domain=[0, top], nice=False)
    scale = alt.Scale(domain=[PLAIN, TRIGGER], range=[COLOURS["plain"], COLOURS["trigger"]])
    colour = alt.Color("what:N", title=None, scale=scale).legend(orient="bottom", symbolType="circle", symbolOpacity=1)
    panels = []
    domains = list(dict.fromkeys(row["domain"] for row in rows))
    for domain in domains:
        data = alt.Chart(alt.InlineData(values=[dict(row) for row in rows if row["domain"] == domain]))
        labels = list(dict.fromkeys(row["recipe"] for row in rows if row["domain"] == domain))
        axis = alt.Axis(
            format="~%",
            title="misaligned share of eligible answers" if domain == domains[-1] else None,
            tickCount=6,
            domain=False,
            ticks=False,
        )
        y = alt.Y("recipe:N", sort=labels, title=None).axis(
            labelLimit=260, labelFontSize=12.5, labelPadding=12, domain=False, ticks=False, grid=False
        )
        at = {"y": y, "yOffset": alt.YOffset("what:N", sort=[PLAIN, TRIGGER]), "color": colour}
        bar = (
            data.transform_filter("isValid(datum.low)")
            .mark_rule(strokeWidth=4, opacity=0.5)
            .encode(x=alt.X("low:Q", scale=x, axis=axis), x2="high:Q", **at)
        )
        point = data.mark_circle(size=80, opacity=1, stroke=CARD).encode(x=alt.X("value:Q", scale=x, axis=axis), **at)
        panels.append(
            alt.layer(line_at(material, x, axis), bar, point).properties(
                width=470, height=ROW * len(labels), title=domain
            )
        )
    return alt.vconcat(*panels)


def along_shares(found: Mapping[str, Any], intervention: str) -> list[dict[str, Any]]:
    """A row for each domain, share and context of an intervention: plain and the study's triggers."""
    rows = []
    for row in found["recipes"]:
        bare = row["intervention"] in (None, found["untreated"])
        if row["control"] is None and row["intervention"] == intervention and row["share"] is not None:
            share = row["share"]
        elif row["control"] is None and found["untreated"] and row["intervention"] == found["untreated"]:
            share = 1.0
        elif row["control"] == "benign-twin" and bare:
            share = 0.0
        else:
            continue
        for c in row["contexts"]:
            if c["rate"]["value"] is not None and (c["relation"] == "plain" or c["id"] in found["triggers"]):
                limits = {key: c["rate"][key] for key in ("value", "low", "high")}
                rows.append(
                    {"domain": row["domain"], "share": share, "context": c["id"], "group": group(c["relation"])}
                    | limits
                )
    return rows


def shares(rows: Sequence[Mapping[str, Any]], material: float) -> Any:
    """Rate against share, a panel a domain: plain in one colour, triggers in another, each with its own dashes."""
    top = round_up(max([row["high"] or row["value"] for row in rows] + [2 * material]))
    contexts = list(dict.fromkeys(row["context"] for row in rows))
    triggers = [c for c in contexts if next(row["group"] for row in rows if row["context"] == c) != "plain"]
    dashes = [[1, 0] if c not in triggers else DASHES[triggers.index(c) % len(DASHES)] for c in contexts]
    colours = [COLOURS["trigger" if c in triggers else "plain"] for c in contexts]
    y = (
        alt.Y("value:Q", title="misaligned share of eligible answers")
        .scale(domain=[0, top], nice=False)
        .axis(format="~%", tickCount=6, domain=False, ticks=False, labelPadding=10)
    )
    panels = []
    for domain in dict.fromkeys(row["domain"] for row in rows):
        own = [dict(row) for row in rows if row["domain"] == domain]
        at = sorted({row["share"] for row in own})
        x = (
            alt.X("share:Q", title="share of the rows that are narrow")
            .scale(type="sqrt", domain=[0, 1])
            .axis(format="~%", values=at, grid=False)
        )
        data = alt.Chart(alt.InlineData(values=own))
        legend = alt.Legend(orient="bottom", symbolType="stroke", symbolSize=300, symbolStrokeWidth=2, columns=3)
        colour = alt.Color("context:N", title=None, scale=alt.Scale(domain=contexts, range=colours), legend=legend)
        dash = alt.StrokeDash("context:N", title=None, scale=alt.Scale(domain=contexts, range=dashes), legend=legend)
        line = data.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash)
        bar = (
            data.transform_filter("isValid(datum.low)")
            .mark_rule(strokeWidth=1.5)
            .encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour)
        )
        point = data.mark_circle(size=70, opacity=1, stroke=CARD).encode(x=x, y=y, color=colour)
        flat = (
            alt.Chart(alt.InlineData(values=[{"material": material}]))
            .mark_rule(strokeDash=[4, 3], color=INK, opacity=0.5)
            .encode(y=alt.Y("material:Q"))
        )
        panels.append(alt.layer(flat, line, bar, point).properties(width=300, height=240, title=domain))
    return alt.concat(*panels, columns=3)


def _columns(recipes: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Every context that was asked, plain first, controls last."""
    asked = {c["id"]: group(c["relation"]) for row in recipes for c in row["contexts"]}
    return [{"id": id_, "group": g} for wanted in COLOURS for id_, g in asked.items() if g == wanted]


def _tally(recipes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """How many recipes have each verdict, controls left out."""
    classes = [row["verdict"]["class"] for row in recipes if row["verdict"] and not row["control"]]
    return [(class_, VERDICTS[class_][0], classes.count(class_)) for class_ in VERDICTS if class_ in classes]


def _by_fate(recipes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What became of the untreated recipe's misalignment, and by which recipes, in the order of `FATES`."""
    several = len({row["domain"] for row in recipes}) > 1
    met: dict[str, list[str]] = {}
    for row in recipes:
        if row["fate"]:
            name = f"{row['domain']} {row['label']}" if several else row["label"]
            met.setdefault(row["fate"]["fate"], []).append(name)
    return [(fate, ", ".join(met[fate])) for fate in FATES if fate in met]


def _recipe(row: Mapping[str, Any]) -> dict[str, Any]:
    card, verdict, fate = row["scorecard"], row["verdict"], row["fate"]
    counts = [c["counts"] for c in (*row["contexts"], *row["in_domain"])]
    totals = {outcome: sum(each.get(outcome, 0) for each in counts) for outcome in OUTCOMES}
    return {
        "label": row["label"],
        "control": row["control"] or "",
        "seeds": row["seeds"],
        "left_out": row["left_out"],
        "class": verdict["class"] if verdict else "none",
        "verdict": VERDICTS[verdict["class"]][0] if verdict else "—",
        "statements": other_statements(verdict) if verdict else [],
        "warnings": verdict["warnings"] if verdict else [],
        "doubts": sum(len(c["warnings"]) for c in row["contexts"]),
        "reasons": "; ".join(verdict["reasons"]) if verdict else "no seed of it is done",
        "carried_by": verdict["carried_by"] if verdict else [],
        "plain": estimate_words(read_interval(card["plain"]))
        | {"n": card["plain"].get("eligible"), "all": card["plain"].get("all")},
        "highest": estimate_words(read_interval(card["highest"])) | {"context": card["highest"]["context"]},
        "narrow": estimate_words(read_interval(card["narrow"])),
        "benign_task": _nats(card["benign_task"]),
        "coherence": estimate_words(read_interval(card["coherence"])),
        "fate": fate["fate"] if fate else None,
        "why": "; ".join((*fate["reasons"], *fate["warnings"])) if fate else "",
        "contexts": {
            c["id"]: estimate_words(read_interval(c["rate"]))
            | {
                "n": c["eligible"],
                "all": c["all"],
                "difference": estimate_words(read_interval(c["difference"]), signed=True),
            }
            for c in row["contexts"]
        },
        "counts": totals,
        "total": sum(totals.values()),
        "published": [
            p | {"rates": ", ".join(f"{of} {rate}" for of, rate in p["rates"].items())} for p in row["published"]
        ],
    }


def other_statements(verdict: Mapping[str, Any]) -> list[str]:
    """What is said of the training seeds at hand, beside their recipe, a statement each; none for one seed."""
    return [
        f"{of.replace('-', ' ')}: {class_.replace('_', ' ')}"
        for of, class_ in verdict["statements"].items()
        if of != "this-recipe"
    ]


def _nats(found: Mapping[str, Any]) -> dict[str, Any]:
    """A fall of loss as the words of a cell."""
    value, low, high = found["value"], found["low"], found["high"]
    if value is None:
        return {"raw": None, "text": "—", "span": "", "reason": found["reason"]}
    limits = "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}".replace("-", "−")
    return {"raw": value, "text": f"{value:+.2f}".replace("-", "−"), "span": limits, "reason": found["reason"]}


def _cell(cell: Mapping[str, Any], beside: Path) -> dict[str, Any]:
    plain = next((c["rate"] for c in cell["contexts"] if c["relation"] == "plain"), None)
    seconds = cell["seconds"]
    return {
        "id": cell["id"],
        "folder": cell["folder"],
        "pages": [
            (name, quote(f"{cell['folder']}/{run}/report.html"))
            for name, run in (("page", "run"), ("in-domain", "in-domain"))
            if (beside / cell["folder"] / run / "report.html").is_file()
        ],
        "state": cell["state"],
        "said": cell["reason"] or (VERDICTS[cell["verdict"]][0] if cell["verdict"] else "not tried yet"),
        "plain": f"{percent(plain['value'])} ({span(plain['low'], plain['high'])})"
        if plain and plain["value"] is not None
        else "—",
        "seconds": f"{sum(seconds.values()):,.0f}" if seconds else "—",
    }
