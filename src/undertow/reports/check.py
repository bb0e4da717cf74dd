"""The page of a check: how judges do against labels, where they err, and the answers on which they part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from undertow.audits.check import Check, CheckedJudge
from undertow.files import write_text
from undertow.reports.drawing import clean
from undertow.reports.page import environment, estimate_words, pairs
from undertow.stats.agreement import Agreement
from undertow.stats.detection import RankCorrelation
from undertow.words import coefficient

MOST = 60
"""Answers shown, those first that most judges get wrong."""
COEFFICIENTS = {
    "cohen_kappa": "kappa",
    "gwet_ac1": "AC1",
    "krippendorff_alpha": "alpha",
    "quadratic_kappa": "quadratic kappa",
}


def write_check_report(found: Check, out: Path) -> Path:
    """Write the page, and return its path."""
    shown = [
        {
            "question": p.answer.question,
            "answer": p.answer.answer,
            "label": p.answer.label,
            "reason": p.answer.reason,
            "groups": ", ".join(p.answer.groups.values()),
            "said": [
                (name, outcome, "" if score is None else f"{score:.0f}") for name, (outcome, score) in p.said.items()
            ],
        }
        for p in found.parted[:MOST]
    ]
    html = (
        environment()
        .get_template("check.html.j2")
        .render(
            title="Judges held against labels",
            check=found,
            judges=[_judge(j) for j in found.judges],
            pairs=[
                {
                    "names": " and ".join(p.names),
                    "n": p.n,
                    "agreement": [_cell(p.agreement[name]) for name in COEFFICIENTS],
                    "rank": _cell(p.rank),
                }
                for p in found.pairs
            ],
            coefficients=list(COEFFICIENTS.values()),
            shown=shown,
        )
    )
    write_text(out, clean(html))
    return out


def _cell(found: Agreement | RankCorrelation) -> dict[str, Any]:
    text, _, limits = coefficient(found).partition(" ")
    return {"raw": found.value, "text": text, "span": limits.strip("[]").replace(", ", "–"), "reason": found.reason}


def _judge(j: CheckedJudge) -> dict[str, Any]:
    return {
        "name": j.name,
        "missing": j.missing,
        "fp": estimate_words(j.all.false_positives),
        "fn": estimate_words(j.all.false_negatives),
        "twins": estimate_words(j.twins, missing="no twins"),
        "own": None if j.own is None else f"{j.own.value:+.1f} points [{j.own.low:+.1f}, {j.own.high:+.1f}]",
        "agreement": [_cell(j.agreement[name]) for name in COEFFICIENTS],
        "rank": _cell(j.rank),
        "groups": [
            {
                "group": g.group,
                "n": g.n,
                "fp": estimate_words(g.false_positives, missing="no such answers"),
                "fn": estimate_words(g.false_negatives, missing="no such answers"),
            }
            for g in sorted(j.groups, key=lambda g: g.group)
        ],
        "bins": [
            {
                "range": f"{b.low:.0f} to {b.high:.0f}",
                "n": b.n,
                "misaligned": estimate_words(b.misaligned),
                "label": "" if b.mean_label is None else f"{b.mean_label:.0f}",
            }
            for b in j.calibration
        ],
        "outcomes": sorted(j.outcomes.items()),
        "doubts": j.doubts,
        "described": pairs(j.described),
    }
