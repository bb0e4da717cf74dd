"""Figures of persona profiles: harm against self-report, what each instrument says, recognition, calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import altair as alt

from undertow.errors import InputError
from undertow.persona.bootstrap import Measure
from undertow.persona.instruments import in_telling
from undertow.persona.points import PUBLISHED
from undertow.persona.profile import Profile, read_profile
from undertow.persona.thresholds import Thresholds
from undertow.records import Interval
from undertow.reports.drawing import CARD, INK, LINE, SOFT, X_AT, Figure
from undertow.reports.figures import SERIES
from undertow.words import percent, span

TARGET, REFERENCE = "#c4541d", "#4a6fa5"
"""Colours of the target's marks and of the reference's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A profile and what to call it."""

    subject: str
    profile: Profile
    run: str = ""
    """Name of the run, where several are shown."""

    @property
    def label(self) -> str:
        return f"{self.run}: {self.profile.context}" if self.run else f"{self.subject}, {self.profile.context}"

    @property
    def colour(self) -> str:
        return REFERENCE if self.subject == "reference" else TARGET


def shown_profiles(*runs: Mapping[str, Any]) -> list[Shown]:
    """The profiles of a `persona.json`; of several, the targets' alone.

    Raises:
        InputError: two are called the same.
    """
    names = [found["name"] for found in runs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError("runs", f"two are called {twice!r}", do="give each a label: before=RUN after=RUN")
    return [
        Shown(
            subject=p["subject"],
            profile=read_profile({key: value for key, value in p.items() if key != "subject"}, where=found["name"]),
            run=found["name"] if len(runs) > 1 else "",
        )
        for found in runs
        for p in found["profiles"]
        if len(runs) == 1 or p["subject"] == "target"
    ]


def figures(shown: Sequence[Shown]) -> list[Figure]:
    """The figures of profiles; those that have nothing to show are left out."""
    points, thresholds = spots(shown), shown[0].profile.thresholds
    several = any(s.run for s in shown)
    orientation = (
        "Diamonds: published models, read from a secondary source (arXiv 2604.28082, Qwen 2.5 32B with LoRA); other "
        "prompts, another judge, so for orientation only. "
        if thresholds.harm == "worst"
        else ""
    )
    made: list[Figure] = []

    def add(name: str, title: str, words: str, rows: list[dict[str, Any]], chart: Callable[[], Any]) -> None:
        if rows:
            made.append(Figure(name=name, title=title, words=words, chart=chart(), rows=rows))

    words = f"Filled: this run, with 95% intervals. {orientation}Dashed: where the patterns begin."
    chart = partial(plane, points, thresholds, path=several)
    add("plane", "Harm against self-report", words, plane_rows(points), chart)
    if several:
        words = "In the order given, with 95% intervals: what each does, and what it says of itself."
        rows = stage_rows(shown)
        add("trajectory", "What moves from one to the next", words, rows, partial(along, rows))
    words = "Lines: 95% intervals, from a bootstrap over items and training seeds."
    rows = instrument_rows(shown)
    add("instruments", "What each instrument says", words, rows, partial(_bars, rows, "share, or 0 to 1"))
    words = (
        "By what the judge found them. A model that knows what it does claims harmful answers as it claims harmless "
        "ones; one that denies it rejects them."
    )
    rows = recognition_rows(shown)
    add("recognition", "Does it claim its own answers?", words, rows, partial(_bars, rows, "claims its own answer"))
    words = (
        "Scores of harm, 1 to 5. On the dashed line it foresees them; above it, it takes its answers for less harmful "
        "than they are."
    )
    rows = calibration_rows(shown)
    add("calibration", "Does it foresee its scores?", words, rows, partial(calibration, rows))
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A profile in the plane of harm and self-report."""

    label: str
    harm: Interval
    says: Interval
    """Share picking the misaligned description."""
    colour: str


def spots(shown: Sequence[Shown]) -> list[Spot]:
    """Profiles that have both measures."""
    pairs = [(s, s.profile.harm, s.profile.measures.two_ai.choice.share) for s in shown]
    return [
        Spot(label=f"{s.label}: {s.profile.pattern}", harm=_limits(harm), says=_limits(says), colour=s.colour)
        for s, harm, says in pairs
        if harm.value is not None and says.value is not None
    ]


def _limits(measure: Measure) -> Interval:
    return Interval(value=measure.value, low=measure.low, high=measure.high)


def plane_rows(spots: Sequence[Spot]) -> list[dict[str, Any]]:
    """A row a profile."""
    return [
        {"label": s.label, "harm": s.harm.value, "harm_low": s.harm.low, "harm_high": s.harm.high}
        | {"says": s.says.value, "says_low": s.says.low, "says_high": s.says.high}
        for s in spots
    ]


def plane(ours_: Sequence[Spot], t: Thresholds, *, path: bool = False) -> Any:
    """Harm against self-report, with published reference points where harm is by worst of n, as theirs.

    Args:
        path: whether a line leads from one to the next.
    """
    ours = [row | {"colour": s.colour, "ours": True} for row, s in zip(plane_rows(ours_), ours_, strict=True)]
    x_axis = alt.Axis(
        format="%", title="picks the misaligned description (two-AI)", tickCount=5, domain=False, ticks=False
    )
    y_axis = alt.Axis(
        format="%",
        title=f"does harm ({'single answers' if t.harm == 'single' else f'{t.harm} of n'} over {t.over:g})",
        tickCount=5,
        domain=False,
        ticks=False,
    )
    scale = alt.Scale(domain=[-0.04, 1.04], nice=False)
    x, y = alt.X("says:Q", scale=scale, axis=x_axis), alt.Y("harm:Q", scale=scale, axis=y_axis)
    under, over = max(t.harmless_to - 0.05, t.harmless_to / 2), t.harmful_from + 0.04
    corners = [
        (0.02, under, "left", "aligned"),
        (0.98, under, "right", "self-critical"),
        (0.02, over, "left", "inverted"),
        (0.98, over, "right", "coherent"),
    ]
    layers: list[Any] = []
    lines = _data(
        [
            {"at": at, "of": of}
            for of, ats in (("harm", (t.harmless_to, t.harmful_from)), ("says", (t.denies_to, t.says_from)))
            for at in ats
        ]
    )
    layers.append(
        lines.transform_filter("datum.of == 'harm'")
        .mark_rule(strokeDash=[4, 3], color=LINE)
        .encode(y=alt.Y("at:Q", scale=scale, axis=y_axis))
    )
    layers.append(
        lines.transform_filter("datum.of == 'says'")
        .mark_rule(strokeDash=[4, 3], color=LINE)
        .encode(x=alt.X("at:Q", scale=scale, axis=x_axis))
    )
    for at_says, at_harm, align, word in corners:
        style: dict[str, Any] = {"align": align, "fontSize": 15, "color": SOFT, "opacity": 0.55}
        mark = _data([{"says": at_says, "harm": at_harm, "word": word}]).mark_text(**style)
        layers.append(mark.encode(x=x, y=y, text="word:N"))
    published: list[dict[str, Any]] = [
        {"label": point.name, "harm": point.harm, "says": point.two_ai, "colour": SOFT, "ours": False}
        for point in PUBLISHED
        if t.harm == "worst"  # as they were published: rates of single answers are no match for them
    ]
    layers.append(
        _data(published)
        .mark_point(shape="diamond", size=70, color=SOFT, strokeWidth=1.3, filled=False)
        .encode(x=x, y=y)
    )
    if path:
        layers.append(
            _data([{**row, "n": n} for n, row in enumerate(ours)])
            .mark_line(color=TARGET, strokeWidth=1.2, opacity=0.45)
            .encode(x=x, y=y, order="n:O")
        )
    table = _data(ours)
    colour = alt.Color("colour:N", scale=None)
    line_y, line_x = alt.Y("harm_low:Q", scale=scale, axis=y_axis), alt.X("says_low:Q", scale=scale, axis=x_axis)
    layers.append(
        table.transform_filter("isValid(datum.harm_low)")
        .mark_rule(strokeWidth=2, opacity=0.6)
        .encode(x=x, y=line_y, y2="harm_high:Q", color=colour)
    )
    layers.append(
        table.transform_filter("isValid(datum.says_low)")
        .mark_rule(strokeWidth=2, opacity=0.6)
        .encode(y=y, x=line_x, x2="says_high:Q", color=colour)
    )
    layers.append(table.mark_circle(size=130, opacity=1, stroke=CARD, strokeWidth=1.5).encode(x=x, y=y, color=colour))
    for left in (False, True):  # a label stands on the side where there is room, and none on another
        labels = _apart([row for row in (*ours, *published) if row["label"] and (row["says"] > 0.5) == left])
        for ours_too, size in ((True, 12), (False, 10.5)):
            text = _data([row for row in labels if row["ours"] == ours_too])
            mark = text.mark_text(
                align="right" if left else "left",
                dx=-12 if left else 12,
                dy=-9,  # above the interval that runs through its point
                fontSize=size,
                fontWeight="bold" if ours_too else "normal",
            )
            layers.append(
                mark.encode(x=x, y=alt.Y("label_at:Q", scale=scale, axis=y_axis), text="label:N", color=colour)
            )
    return alt.layer(*layers).properties(width=560, height=420)


def _apart(rows: list[dict[str, Any]], least: float = 0.042) -> list[dict[str, Any]]:
    """Rows with a height for each label, no two nearer than `least`."""
    rows = sorted(rows, key=lambda row: row["harm"])
    at = [row["harm"] for row in rows]
    for _ in range(100):  # neighbours that are too near push each other off
        for i in range(1, len(at)):
            push = max(0.0, least - (at[i] - at[i - 1])) / 2
            at[i - 1], at[i] = at[i - 1] - push, at[i] + push
    return [{**row, "label_at": height} for row, height in zip(rows, at, strict=True)]


def instrument_rows(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """What each instrument says of each profile, with intervals."""
    return [
        _bar(s, f"{instrument.shows}: {name}", measure)
        for s in shown
        for instrument in in_telling()
        for name, measure in instrument.bars(s.profile.measures.by[instrument.id]).items()
        if measure.value is not None
    ]


def recognition_rows(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """Own answers that are claimed, by what the judge found them and by foil."""
    return [
        _bar(s, f"{bucket} answers, against {'a safe one' if foil == 'safe' else 'the reference'}", share)
        for s in shown
        for foil, claims in s.profile.measures.recognition.by_foil.items()
        for bucket in ("harmful", "harmless")
        if (share := getattr(claims, bucket).share).value is not None
    ]


def stage_rows(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """What each model does and says of itself, asked plainly (else as it was asked first), in the order given."""
    first = {s.run: s for s in reversed(shown)} | {s.run: s for s in shown if s.profile.context == "plain"}
    return [
        {"stage": run, "what": what, "value": m.value, "low": m.low, "high": m.high}
        for run in dict.fromkeys(s.run for s in shown)
        for what, m in (
            ("does harm", first[run].profile.harm),
            ("picks the misaligned", first[run].profile.measures.two_ai.choice.share),
            ("self-assessment", first[run].profile.measures.self_assessment.overall),
        )
        if m.value is not None
    ]


def along(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Stages from left to right, a line a measure."""
    whats = list(dict.fromkeys(row["what"] for row in rows))
    x = alt.X("stage:N", sort=list(dict.fromkeys(row["stage"] for row in rows)), title=None)
    x = x.axis(labelAngle=-30, labelLimit=160, domain=False, ticks=False, grid=False)
    scale = alt.Scale(domain=[0, 1], nice=False)
    y = alt.Y("value:Q", title="share, or 0 to 1", scale=scale).axis(format="%", tickCount=5, domain=False, ticks=False)
    colour = alt.Color("what:N", title=None).scale(domain=whats, range=list(SERIES[: len(whats)]))
    table = _data(list(map(dict, rows)))
    line = table.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour.legend(orient="bottom"))
    limits = (
        table.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.5, opacity=0.6)
        .encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", color=colour)
    )
    point = table.mark_circle(size=80, opacity=1, stroke=CARD).encode(x=x, y=y, color=colour)
    return alt.layer(line, limits, point).properties(width=560, height=260)


def _bar(shown: Shown, what: str, measure: Measure) -> dict[str, Any]:
    told = f"{percent(measure.value)}  {span(measure.low, measure.high)}"
    return {
        "what": what,
        "who": shown.label,
        "value": measure.value,
        "low": measure.low,
        "high": measure.high,
        "told": told,
        "colour": shown.colour,
    }


def _bars(rows: list[dict[str, Any]], title: str) -> Any:
    order = list(dict.fromkeys(row["what"] for row in rows))
    who = list(dict.fromkeys(row["who"] for row in rows))
    axis = alt.Axis(format="%", title=title, tickCount=5, domain=False, ticks=False)
    x = alt.X("value:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)
    y = alt.Y("who:N", sort=who, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=200, labelFontSize=11))
    colour = alt.Color("colour:N", scale=None)
    table = _data(rows)
    bar = table.mark_bar(height=12, opacity=0.45).encode(x=x, y=y, color=colour)
    line = (
        table.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q", scale=alt.Scale(domain=[0, 1]), axis=axis), x2="high:Q", y=y, color=colour)
    )
    text = table.mark_text(align="left", fontSize=11, color=INK).encode(x=X_AT(430), y=y, text="told:N")
    layered = alt.layer(bar, line, text).properties(width=420, height=alt.Step(20))
    header = alt.Header(labelAngle=0, labelAlign="left", labelFontSize=12, labelLimit=260, labelPadding=8, title=None)
    return layered.facet(row=alt.Row("what:N", sort=order, header=header), spacing=8).resolve_scale(y="independent")


def calibration_rows(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """Predicted against judged scores, blind and shown."""
    return [
        {"who": s.label, "how": how, "predicted": b.predicted, "judged": b.judged, "n": b.n, "colour": s.colour}
        for s in shown
        for how, forecast in (
            ("blind", s.profile.measures.prediction.blind),
            ("shown", s.profile.measures.prediction.shown),
        )
        for b in forecast.curve
        if b.predicted is not None and b.judged is not None
    ]


def calibration(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A panel for scores that were predicted blind, one for those of answers that were shown."""
    scale = alt.Scale(domain=[1, 5])
    x = alt.X(
        "predicted:Q",
        scale=scale,
        axis=alt.Axis(title="score that it predicts", values=[1, 2, 3, 4, 5], domain=False, ticks=False),
    )
    y = alt.Y(
        "judged:Q",
        scale=scale,
        axis=alt.Axis(title="score that the judge gives", values=[1, 2, 3, 4, 5], domain=False, ticks=False),
    )
    panels = []
    for how in ("blind", "shown"):
        diagonal = (
            _data([{"predicted": 1, "judged": 1}, {"predicted": 5, "judged": 5}])
            .mark_line(strokeDash=[4, 3], color=SOFT, strokeWidth=1.2)
            .encode(x=x, y=y)
        )
        table = _data([dict(row) for row in rows if row["how"] == how])
        colour, group = alt.Color("colour:N", scale=None), alt.Detail("who:N")
        line = table.mark_line(strokeWidth=1.5, opacity=0.7).encode(x=x, y=y, color=colour, detail=group)
        size = alt.Size("n:Q", scale=alt.Scale(range=[30, 300]), title="answers")
        panels.append(
            alt.layer(
                diagonal, line, table.mark_circle(opacity=0.85).encode(x=x, y=y, color=colour, size=size)
            ).properties(width=250, height=250, title=how)
        )
    return alt.hconcat(*panels)


def _data(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))
