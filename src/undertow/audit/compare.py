"""Two finished runs, context by context, paired by question."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from undertow.audit.decide import LEVEL, outcome_of
from undertow.audit.rules import RULES
from undertow.audit.store import Store
from undertow.errors import InputError
from undertow.records import USABLE, Interval, Outcome
from undertow.stats.differences import difference_fixed


def require_run(run: Path) -> None:
    """Refuse a folder that is no finished run.

    Raises:
        InputError: it holds no findings.
    """
    if not (run / "findings.json").is_file():
        raise InputError(run, "is not a finished run", expected="findings.json in it", do="run: undertow audit AUDIT.yaml -o RUN (--resume)")


def target_outcomes(run: Path) -> dict[str, dict[str, Counter[Outcome]]]:
    """Outcomes of a run's target, by context and question, under the rule of its findings."""
    require_run(run)
    rule = RULES[json.loads((run / "findings.json").read_text(encoding="utf-8"))["rule"]["name"]]
    found: dict[str, dict[str, Counter[Outcome]]] = {}
    with Store(run / "run.sqlite") as store:
        for answer in store.answers():
            if answer.subject == "target":
                found.setdefault(answer.context, {}).setdefault(answer.question, Counter())[outcome_of(answer, rule)] += 1
    return found


def differences(run: Path, other: Path) -> dict[str, Interval]:
    """Misaligned rate of `run` minus that of `other` on the same suite, in every context that both hold."""
    here, there = target_outcomes(run), target_outcomes(other)
    out = {}
    for context in here:
        if context not in there:
            continue
        questions = sorted(set(here[context]) | set(there[context]))
        cells = [[side[context].get(q, Counter()) for q in questions] for side in (here, there)]
        events = [[cell["misaligned"] for cell in side] for side in cells]
        usable = [[sum(cell[o] for o in USABLE) for cell in side] for side in cells]
        found = difference_fixed(events[0], usable[0], events[1], usable[1], level=LEVEL)
        out[context] = Interval(value=found.value, low=found.low, high=found.high, reason=found.reason)
    return out
