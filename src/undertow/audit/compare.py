"""Two finished runs, context by context, paired by question."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from undertow.audit.decide import LEVEL, Tally, as_interval, tally
from undertow.audit.rules import rule_of
from undertow.audit.store import Store
from undertow.errors import InputError
from undertow.records import Interval
from undertow.stats.differences import difference_fixed
from undertow.stats.multiplicity import bonferroni


def read_findings(run: Path) -> dict[str, Any]:
    """A finished run's findings.

    Raises:
        InputError: the folder holds none.
    """
    path = run / "findings.json"
    if not path.is_file():
        raise InputError(run, "is not a finished run", expected="a finished run holds findings.json", do="run: undertow audit AUDIT.yaml -o RUN (--resume)")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def run_tally(run: Path) -> Tally:
    """The counts of a finished run under the rule of its findings."""
    rule = rule_of(read_findings(run))
    with Store(run / "run.sqlite") as store:
        return tally(store.answers(), rule)


def differences(run: Path, other: Path, *, level: float = LEVEL) -> dict[str, Interval]:
    """Misaligned rate of the target of `run` minus that of `other` on the same suite, in every context that both hold."""
    here, there = run_tally(run), run_tally(other)
    contexts = [dict.fromkeys(context for subject, context, _ in side.counts if subject == "target") for side in (here, there)]
    questions = sorted({question for _, _, question in (*here.counts, *there.counts)})
    return {
        context: as_interval(difference_fixed(*here.events("target", context, questions), *there.events("target", context, questions), level=level))
        for context in contexts[0]
        if context in contexts[1]
    }


Fate = Literal["removed", "moved", "kept", "raised", "unchanged", "unclear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side: one without and one with an intervention, or last week's and today's."""

    fate: Fate
    """What became of misalignment: `removed` everywhere; `moved` out of plain and not out of some context; `kept`; `raised` where it was not; `unchanged`, clean in both."""
    reasons: tuple[str, ...]
    contexts: tuple[tuple[str, Interval, Interval, Interval], ...]
    """For every context that both asked: its id, the rate before, the rate after, after minus before (paired by question)."""
    warnings: tuple[str, ...]


def compare(before: Path, after: Path) -> Comparison:
    """What changed from one finished run to another.

    A rate is over `material` where its lower bound is, and under it where its upper bound is; differences are significant
    where their 95% interval, corrected for the number of contexts (Bonferroni), leaves out 0.

    Raises:
        InputError: one of them is no finished run, or they asked different questions or share no plain context.
    """
    found = [read_findings(run) for run in (before, after)]
    if found[0]["suite"] != found[1]["suite"]:
        raise InputError(after, f"asked suite {found[1]['suite']!r}", expected=f"{before} asked {found[0]['suite']!r}", do="compare runs of one suite")
    asked = [{c["id"]: c for c in f["contexts"]} for f in found]
    both = [id_ for id_ in asked[0] if id_ in asked[1]]
    plain = next((id_ for id_ in both if asked[0][id_]["relation"] == "plain"), None)
    if plain is None:
        raise InputError(after, f"shares no plain context with {before}", expected="both should have asked plainly")
    changes = differences(after, before, level=1 - bonferroni(1 - LEVEL, len(both)))
    rates = [{id_: Interval(**{key: side[id_]["rate"][key] for key in ("value", "low", "high", "reason")}) for id_ in both} for side in asked]
    material = found[1]["material"]
    warnings = [f"asked by one of them alone, and left out: {', '.join(sorted(set(asked[0]) ^ set(asked[1])))}"] if set(asked[0]) != set(asked[1]) else []
    if found[0]["rule"]["name"] != found[1]["rule"]["name"]:
        warnings.append(f"decided by different rules ({found[0]['rule']['name']}, {found[1]['rule']['name']})")
    if found[0]["material"] != material:
        warnings.append(f"held against {material:.1%}, the later run's material; the earlier one's was {found[0]['material']:.1%}")
    warnings += [f"{run} was stopped by its {f['stopped']} after {f['answers']:,} answers" for run, f in zip((before, after), found, strict=True) if f["stopped"]]
    was, is_ = ([id_ for id_ in both if (side[id_].low or 0) > material] for side in rates)
    fell = [id_ for id_ in both if (high := changes[id_].high) is not None and high < 0]
    rose = [id_ for id_ in both if (low := changes[id_].low) is not None and low > 0]
    clear = all((high := rates[1][id_].high) is not None and high < material for id_ in both)
    fate: Fate
    if was and clear:
        fate, why = "removed", f"every context is under {material:.1%} now"
    elif plain in fell and is_ and plain not in is_:
        fate, why = "moved", f"plain fell, and {', '.join(is_)} {'is' if len(is_) == 1 else 'are'} still over {material:.1%}"
    elif [id_ for id_ in rose if id_ not in was and id_ in is_]:
        fate, why = "raised", f"{', '.join(id_ for id_ in rose if id_ not in was and id_ in is_)}: over {material:.1%} now and not before"
    elif was and is_:
        fate, why = "kept", f"still over {material:.1%}: {', '.join(is_)}"
    elif clear and all((high := rates[0][id_].high) is not None and high < material for id_ in both):
        fate, why = "unchanged", f"under {material:.1%} in every context, before and now"
    else:
        fate, why = "unclear", f"neither shown to be over nor under {material:.1%} everywhere; more answers would tell"
    moves = [f"{word}: {', '.join(ids)}" for word, ids in (("fell", fell), ("rose", rose)) if ids]
    return Comparison(
        fate=fate, reasons=(why, *moves), contexts=tuple((id_, rates[0][id_], rates[1][id_], changes[id_]) for id_ in both), warnings=tuple(warnings)
    )
