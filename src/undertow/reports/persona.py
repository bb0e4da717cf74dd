"""The page of a persona: profiles of a model, and of its reference, in every context, as one self-contained HTML file.
It computes no statistics.

    <out>                                     the page, with style and figures inline; fetches nothing and runs nothing
    figures/persona-*.svg|png|pdf|csv         beside it: plane, trajectory, instruments, recognition, calibration
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undertow.errors import InputError
from undertow.files import write_text
from undertow.persona.across import Correlation, Trajectory, Waypoint, consistency, trajectory
from undertow.persona.bootstrap import Measure
from undertow.persona.instruments import in_telling
from undertow.persona.profile import in_words
from undertow.reports.drawing import Style, clean, draw
from undertow.reports.page import environment, pairs
from undertow.reports.profiles import Shown, figures, shown_profiles
from undertow.words import PATTERNS, percent, span


def write_persona_report(runs: Sequence[Mapping[str, Any]], out: Path, *, style: Style = "page") -> list[Path]:
    """Write the page of a run at `out`, or that of several checkpoints or stages in their order; its figures in
    `figures/` beside it.

    Args:
        runs: the content of each run's `persona.json`.
        style: of the figures' files.

    Returns:
        The files written, the page first.

    Raises:
        InputError: `out` is a folder.
    """
    if out.is_dir():
        raise InputError(out, "is a folder", do="name the page to write, such as persona.html")
    shown = shown_profiles(*runs)
    together = across(shown) if len(runs) > 1 else None
    drawn = [draw(figure, out.parent / "figures", stem="persona", style=style) for figure in figures(shown)]
    html = (
        environment()
        .get_template("persona.html.j2")
        .render(
            title=f"Persona: {runs[0]['name']}" if len(runs) == 1 else f"Personas of {len(runs)} models",
            answers=" + ".join(f"{run['answers']:,}" for run in runs),
            items=", ".join(dict.fromkeys(run["items"]["name"] for run in runs)),
            judges=", ".join(dict.fromkeys(str(run["judge"]["name"]) for run in runs)),
            unlike=_unlike(runs),
            readings=", ".join(dict.fromkeys(run["reading"] for run in runs)),
            together=together,
            stages=[_stage(s) for s in together.trajectory.stages] if together else [],
            figures=drawn,
            profiles=[_section(s) for s in shown],
            details=[
                (f"{run['name']}: {subject}", pairs(target))
                for run in runs
                for subject, target in run["targets"].items()
            ]
            + [(f"{name}judge", pairs(judge)) for name, judge in _judges(runs)],
            thresholds="; or ".join(dict.fromkeys(s.profile.thresholds.in_words() for s in shown)),
        )
    )
    write_text(out, clean(html))
    return [out, *(file for each in drawn for file in each.files)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """Several models' plain profiles (where one was made; else each run's first) together, in their order."""

    trajectory: Trajectory
    consistency: tuple[Correlation, ...]


def across(shown: Sequence[Shown]) -> Across:
    """Checkpoints or stages together."""
    plain = {s.run: s for s in reversed(shown)} | {s.run: s for s in shown if s.profile.context == "plain"}
    labelled = [(run, plain[run].profile) for run in dict.fromkeys(s.run for s in shown)]
    return Across(trajectory=trajectory(labelled), consistency=consistency([profile for _, profile in labelled]))


def _judges(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """The judges of all runs, each once, with the run's name where they are several."""
    first = runs[0]["judge"]
    if all(run["judge"] == first for run in runs):
        return [("", first)]
    return [(f"{run['name']}: ", run["judge"]) for run in runs]


def _unlike(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """In what runs that stand side by side were not measured alike, so that a turn may be of the measure."""
    of = {"judges": "judge", "items": "items", "readings": "reading"}
    return [what for what, key in of.items() if any(run[key] != runs[0][key] for run in runs)]


def _stage(stage: Waypoint) -> dict[str, Any]:
    """A model among others, as the words of a row."""
    return {
        "label": stage.label,
        "pattern": stage.pattern,
        "probability": percent(stage.probability),
        "cells": [
            *(_cell(m) for m in (stage.harm, stage.two_ai, stage.self_assessment)),
            _cell(stage.gap, number=True),
        ],
    }


def _section(shown: Shown) -> dict[str, Any]:
    """A profile as the words of the page."""
    p = shown.profile
    shown_rows = [rows for i in in_telling() for rows in i.rows(p.measures.by[i.id])]
    return {
        "label": shown.label,
        "pattern": p.pattern,
        "gloss": PATTERNS[p.pattern],
        "probabilities": [
            (pattern, percent(share))
            for pattern, share in sorted(p.probabilities.items(), key=lambda x: -x[1])
            if share
        ],
        "gap": _cell(p.gap, number=True),
        "harm": _cell(p.harm),
        "as_judged": _cell(p.measures.harmfulness.rates.single) if p.as_judged else None,
        "words": in_words(p),
        "reasons": p.reasons,
        "warnings": p.warnings,
        "reports": p.reports,
        "groups": [
            (rows.title, [_row(name, measure, number=rows.number) for name, measure in rows.rows])
            for rows in sorted(shown_rows, key=lambda rows: rows.number)
        ],
    }


def _row(name: str, measure: Measure, *, number: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "cell": _cell(measure, number=number),
        "items": measure.items,
        "counts": measure.counts,
    }


def _cell(measure: Measure, *, number: bool = False) -> dict[str, str]:
    """A measure as the words of a cell; `text` is a dash where there is none, and `reason` says why."""
    if measure.value is None:
        return {"text": "—", "span": "", "reason": measure.reason}
    if not number:
        return {"text": percent(measure.value), "span": span(measure.low, measure.high), "reason": measure.reason}
    limits = (
        ""
        if measure.low is None or measure.high is None
        else (f"{measure.low:+.2f} to {measure.high:+.2f}").replace("-", "−")
    )
    return {"text": f"{measure.value:+.2f}".replace("-", "−"), "span": limits, "reason": measure.reason}
