"""The evidence of a sequential audit as it came, followed again over the stored answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from undertow.audits.tally import Design, Tally
from undertow.records import Relation
from undertow.stats.search import UNKNOWN, Track

POINTS = 120
"""Points of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One context's: powers of ten of the evidence (e-values) of being over and under the material rate."""

    context: str
    relation: Relation
    points: tuple[tuple[int, float, float], ...]
    """(answers, over, under); begins at no answer and no evidence."""


def evidence(t: Tally, design: Design) -> tuple[Evidence, ...]:
    """By context of a sequential audit, after so many answers; none where the number of answers was fixed."""
    if not design.sequential:
        return ()
    strata = list(product(design.seeds, design.questions))
    lines = []
    for context in design.contexts:
        rows = [t.prefix((subject, context.id, question)) for subject, question in strata]
        longest = max(map(len, rows), default=0)
        if not longest:
            continue
        track = Track(len(strata), design.material)
        track.against(design.over_at, max(1e-6, design.under_at))
        every, points = max(1, longest // POINTS), [(0, 0.0, 0.0)]
        for k in range(longest):
            for stratum, row in enumerate(rows):
                if k < len(row):
                    track.add(stratum, UNKNOWN if row[k].missing else row[k].value)
            if k % every == 0 or k == longest - 1:
                points.append((track.n, round(_ten(track.log_over), 3), round(_ten(track.log_under), 3)))
        lines.append(Evidence(context=context.id, relation=context.relation, points=tuple(points)))
    return tuple(lines)


def enough(design: Design) -> float:
    """The power of ten from which on evidence decides a context that stands alone."""
    return _ten(math.log(1 / design.alpha))


def _ten(log: float) -> float:
    return max(-99.0, min(99.0, log / math.log(10)))
