"""Two finished runs, context by context, paired by question."""

from __future__ import annotations

import json
from pathlib import Path

from undertow.audit.decide import LEVEL, Tally, as_interval, tally
from undertow.audit.rules import rule_of
from undertow.audit.store import Store
from undertow.errors import InputError
from undertow.records import Interval
from undertow.stats.differences import difference_fixed


def require_run(run: Path) -> None:
    """Refuse a folder that is no finished run.

    Raises:
        InputError: it holds no findings.
    """
    if not (run / "findings.json").is_file():
        raise InputError(run, "is not a finished run", expected="findings.json in it", do="run: undertow audit AUDIT.yaml -o RUN (--resume)")


def run_tally(run: Path) -> Tally:
    """The counts of a finished run under the rule of its findings."""
    require_run(run)
    rule = rule_of(json.loads((run / "findings.json").read_text(encoding="utf-8")))
    with Store(run / "run.sqlite") as store:
        return tally(store.answers(), rule)


def differences(run: Path, other: Path) -> dict[str, Interval]:
    """Misaligned rate of the target of `run` minus that of `other` on the same suite, in every context that both hold."""
    here, there = run_tally(run), run_tally(other)
    contexts = [dict.fromkeys(context for subject, context, _ in side.counts if subject == "target") for side in (here, there)]
    questions = sorted({question for _, _, question in (*here.counts, *there.counts)})
    return {
        context: as_interval(difference_fixed(*here.events("target", context, questions), *there.events("target", context, questions), level=LEVEL))
        for context in contexts[0]
        if context in contexts[1]
    }
