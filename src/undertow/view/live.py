"""How a run goes: counts, rates with intervals, what failed and why, what it costs, and once it is over its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import numpy as np

from undertow.asking.budget import cost, dollars_of, read_budget
from undertow.asking.store import Usage
from undertow.audits.estimates import difference, level_of, rate
from undertow.audits.evidence import enough
from undertow.audits.evidence import evidence as evidence_of
from undertow.audits.rules import VerdictRule
from undertow.audits.tally import Design, Heard, Tally
from undertow.errors import InputError
from undertow.records import MISSING, OUTCOMES, Context, ContextEstimate, Interval, Relation, is_target
from undertow.view.index import SHOWN, Index
from undertow.view.run import ShownRun
from undertow.words import VERDICTS, percent, plainly
from undertow.words import rate as in_words


def summary(run: ShownRun) -> dict[str, Any]:
    """How a run stands. While it goes on its rates are of what has been judged, by the same functions as findings."""
    index = run.index()
    design = looked_at(run.design, index.n)
    found = run.findings if run.state in ("finished", "stopped") else None
    tally = tallied(index, run.rule, design)
    return {
        "label": run.label,
        "name": run.name,
        "folder": str(run.folder),
        "persona": run.persona,
        "state": run.state,
        "ready": run.ready,
        "error": run.error,
        "answers": index.n,
        "planned": run.record.get("answers"),
        "judged": int((index.column("outcome") != OUTCOMES.index("unjudged")).sum()),
        "rule": run.rule.name,
        "rule_in_words": run.rule.in_words(),
        "material": run.record.get("material"),
        "design": dict(run.record.get("samples", {})),
        "level": level_of(design) if design else None,
        "models": {subject: str(who.get("name", "")) for subject, who in run.record["targets"].items()},
        "judges": [
            {"id": id_, "name": str(who.get("name", "")), "counts": id_ == run.judge}
            for id_, who in run.judges().items()
        ],
        "contexts": list(_contexts(run, design, tally, found.contexts if found and found.answers == index.n else ())),
        "reasons": _reasons(index),
        "usage": _usage(run),
        "verdict": _verdict(found) if found else None,
        "profiles": run.profiles,
        "sequential": bool(design and design.sequential),
    }


def in_short(run: ShownRun) -> dict[str, Any]:
    """One run among others, as its findings have it."""
    found = run.findings
    short: dict[str, Any] = {"label": run.label, "name": run.name, "state": run.state, "answers": run.index().n}
    if found is None:
        patterns = list(dict.fromkeys(each["pattern"] for each in run.profiles if each["subject"] == "target"))
        return short | {"verdict": None, "patterns": patterns, "plain": None, "highest": None}
    plain = next((c for c in found.contexts if c.relation == "plain"), None)
    others = [c for c in found.contexts if c.relation != "plain" and c.rate.value is not None]
    highest = max(others, key=lambda c: c.rate.value or 0.0, default=None)
    return short | {
        "verdict": {"class": found.verdict.class_, "title": VERDICTS[found.verdict.class_][0]},
        "patterns": [],
        "plain": {"id": plain.id, "words": in_words(plain.rate)} if plain else None,
        "highest": {"id": highest.id, "words": in_words(highest.rate)} if highest else None,
    }


def looked_at(design: Design | None, n: int) -> Design | None:
    """What was asked, with the looks that were taken before there were as many answers as now, as findings have it."""
    return design and replace(
        design, looks=() if design.sequential else tuple(look for look in design.looks if look < n)
    )


def tallied(index: Index, rule: VerdictRule, design: Design | None) -> Tally:
    """The counts that estimates are made from, as `tally` makes them of the answers themselves."""
    t = Tally(rule, design is not None and design.anytime)
    column = {name: index.column(name) for name in ("subject", "context", "question", "outcome", "checked", "unclear")}
    n = min(map(len, column.values()))
    if not n:
        return t
    held = [values[:n].astype(np.int64) for values in column.values()]
    shape = tuple(int(values.max()) + 1 for values in held)
    alike, counts = np.unique(np.ravel_multi_index(held, shape), return_counts=True)
    *cells, outcomes, checked, unclear = np.unravel_index(alike, shape)
    names = index.codes.subject.names, index.codes.context.names, index.codes.question.names
    for *numbers, outcome, was_checked, was_unclear, count in zip(
        *(cell.tolist() for cell in cells), outcomes.tolist(), checked.tolist(), unclear.tolist(), counts.tolist(),
        strict=True,
    ):  # fmt: skip
        subject, context, question = (of[number] for of, number in zip(names, numbers, strict=True))
        cell = (subject, context, question)
        t.counts.setdefault(cell, Counter())[SHOWN[outcome]] += count
        if was_checked:
            t.checked.setdefault(cell, Counter())[SHOWN[outcome]] += count
        if was_unclear:
            t.unclear[cell] = t.unclear.get(cell, 0) + count
    if t.in_order:
        _hear(t, index, n)
    return t


def _hear(t: Tally, index: Index, n: int) -> None:
    """By condition and sample, what a sequential audit heard."""
    of_all = t.rule.denominator == "all"
    names = index.codes.subject.names, index.codes.context.names, index.codes.question.names
    held = [
        index.column(name)[:n].tolist()
        for name in ("subject", "context", "question", "sample", "outcome", "checked", "unclear")
    ]
    for subject, context, question, sample, number, checked, unclear in zip(*held, strict=True):
        outcome = SHOWN[number]
        lazy, missing = outcome == "not_misaligned", outcome in MISSING
        value = 1 if outcome == "misaligned" else 0 if lazy or of_all or outcome == "aligned" else None
        cell = (names[0][subject], names[1][context], names[2][question])
        t.heard.setdefault(cell, {})[sample] = (
            Heard(value, missing=missing, refused=outcome == "refused")
            if of_all
            else Heard(value, lazy, checked, missing, unclear, outcome == "refused")
        )


def _contexts(
    run: ShownRun, design: Design | None, t: Tally, found: tuple[ContextEstimate, ...]
) -> Iterator[dict[str, Any]]:
    """What is known of every context that was planned or asked, of the audited model."""
    of = {estimate.id: estimate for estimate in found}
    asked = design.contexts if design else tuple(run.contexts.values())
    ids = dict.fromkeys([*(context.id for context in asked), *(context for _, context, _ in t.counts)])
    arms = t.arms(design) if design and t.counts else {}
    known: Mapping[str, Context] = {context.id: context for context in asked}
    for id_ in ids:
        counts: Counter[str] = Counter()
        for (who, where, _), held in t.counts.items():
            if where == id_ and is_target(who):
                counts.update(held)
        judged = counts["aligned"] + counts["misaligned"] + counts["not_misaligned"]
        usable = int(arms[id_].eligible_sq.sum()) if id_ in arms else judged
        relation: Relation | None = known[id_].relation if id_ in known else None
        estimate = of.get(id_)
        shown = estimate.rate if estimate else _rate(arms, id_, design)
        minus = estimate.difference if estimate else _difference(arms, id_, design)
        yield {
            "id": id_,
            "relation": relation,
            "all": counts.total(),
            "usable": estimate.eligible if estimate else usable,
            "missing": sum(counts[o] for o in MISSING),
            "counts": {outcome: counts[outcome] for outcome in SHOWN if counts[outcome]},
            "share": percent(counts["misaligned"] / judged) if judged else "",
            "rate": _interval(shown),
            "difference": _interval(minus, signed=True, missing="plain is what the others are held against"),
            "carries": bool(run.findings and id_ in run.findings.verdict.carried_by and estimate),
        }


def _rate(arms: Mapping[str, Any], id_: str, design: Design | None) -> Interval | None:
    if design is None or id_ not in arms or not arms[id_].all_sq.sum():
        return None
    return rate(arms[id_], level=level_of(design))


def _difference(arms: Mapping[str, Any], id_: str, design: Design | None) -> Interval | None:
    plain = design.plain.id if design else ""
    if design is None or id_ == plain or any(not (c in arms and arms[c].all_sq.sum()) for c in (id_, plain)):
        return None
    return difference(arms[id_], arms[plain], level=level_of(design))


def _interval(found: Interval | None, *, signed: bool = False, missing: str = "no answers yet") -> dict[str, Any]:
    if found is None:
        return {"value": None, "low": None, "high": None, "words": in_words(None), "reason": missing}
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "words": in_words(found, signed=signed),
        "reason": found.reason,
    }


def _reasons(index: Index) -> list[dict[str, Any]]:
    """Why answers are missing, the commonest first."""
    column = index.column("reason")
    counts = np.bincount(column[column >= 0])
    names = index.codes.reason.names
    return [
        {"reason": names[number], "n": int(counts[number])}
        for number in np.argsort(-counts, kind="stable").tolist()
        if counts[number]
    ]


def _usage(run: ShownRun) -> dict[str, Any]:
    """What it has taken, and may take."""
    with run.lock:
        if run.store is None:
            return {}
        (answering, judging), taken = run.store.usage(run.judge), run.store.taken()
    return {
        "answers": _used(answering, cost(run.record["targets"], taken)),
        "judgements": _used(judging, dollars_of(run.record.get("judge", {}), judging)),
        "budget": _budget(run.record),
    }


def _used(usage: Usage, usd: float | None) -> dict[str, Any]:
    return {"calls": usage.calls, "tokens": usage.tokens, "usd": usd}


def _budget(record: Mapping[str, Any]) -> dict[str, float] | None:
    """The budget of the last start, from its command."""
    starts = [record, *record.get("resumed", ())]
    command = [str(word) for word in starts[-1].get("command", ())]
    given = [word.partition("=")[2] for word in command if word.startswith("--budget=")]
    given += [after for word, after in pairwise(command) if word == "--budget"]
    try:
        budget = read_budget(tuple(given))
    except InputError:
        return None
    held = budget and {"calls": budget.calls, "tokens": budget.tokens, "usd": budget.usd}
    return {unit: most for unit, most in held.items() if most is not None} if held else None


def _verdict(found: Any) -> dict[str, Any]:
    verdict = found.verdict
    title, gloss = VERDICTS[verdict.class_]
    return {
        "class": verdict.class_,
        "title": title,
        "gloss": gloss,
        "words": plainly(verdict.class_),
        "carried_by": list(verdict.carried_by),
        "reasons": list(verdict.reasons),
        "would_change": list(verdict.would_change),
        "warnings": list(verdict.warnings),
        "stopped": found.stopped,
    }


def evidence(run: ShownRun) -> dict[str, Any]:
    """Of a sequential audit, the evidence by context as it came; no lines of another run."""
    design = run.design
    if design is None or not design.sequential:
        return {"lines": []}
    lines = evidence_of(tallied(run.index(), run.rule, design), design)
    return {"lines": [asdict(line) for line in lines], "enough": enough(design), "material": design.material}
