"""Findings: what a run found, as `findings.json` holds it (docs/findings.md). Reads a run, asks nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from undertow.audit.budget import dollars
from undertow.audit.estimates import controls, estimate, level_of, p_values
from undertow.audit.rules import VerdictRule, rule_of
from undertow.audit.seeds import statements
from undertow.audit.sequential import Search
from undertow.audit.store import Store
from undertow.audit.tally import REPEATS_FROM, Asked, Tally, tally
from undertow.audit.verdict import against_reference, conclude, not_tested, of_missing, of_runs, tested, would_change
from undertow.errors import InputError
from undertow.files import read_object
from undertow.mistakes import with_place
from undertow.records import ContextEstimate, Interval, Subject, Verdict, VerdictClass, is_target

SCHEMA = "undertow.findings/3"
SURPRISE = 5.0
"""Standard deviations by which answers repeat the one before oftener than in a random order, from which they are
copies."""

TARGETS_OF_INFERENCE = {
    "rate": "on this suite: its questions are fixed and answers are random; of several training seeds the mean over "
    "these",
    "recipe": "on this suite: its questions are fixed; answers and training seeds are random",
    "rate_on_questions_like_these": "on questions like these: the suite's are a random sample too, of questions whose "
    "rates spread evenly on "
    "either side of a middle; "
    "where a few kinds of question carry nearly all of it, the interval is too narrow",
    "fixed": "the number of answers was fixed beforehand; each interval holds with the confidence `level`",
    "imported": "the number of answers is taken to have been fixed beforehand, which a file does not say; each "
    "interval "
    "holds with the confidence `level`",
    "extended": "answers were added after a verdict; every limit is of a confidence sequence and holds at every look, "
    "each "
    "with the confidence `level`",
    "sequential": "sampling stopped when enough was known; every limit is of a confidence sequence and holds at every "
    "look, "
    "each with the confidence `level`",
}


def findings(
    asked: Asked,
    store: Store,
    rule: VerdictRule,
    *,
    judge: int,
    stopped: Literal["budget", "interruption"] | None = None,
    story: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What `findings.json` holds: estimates, verdict, rule, and the counts of everything.

    Args:
        judge: id in the run's file of the judge whose judgements count.
        stopped: what ended the run before every answer was asked for.
        story: how the audit found its contexts, where it did: `search` or `screen`, as findings hold it.
    """
    story = dict(story or {})
    asked = looked(asked, store)
    t = tally(store.answers(judge), rule, in_order=asked.anytime, copying=copying(asked, store))
    estimates = _estimates(t, asked, store)
    verdict = decide(t, asked, stopped=stopped is not None)
    prompt_change = controls(t, asked)
    notes = {context.id: context.note for context in asked.contexts}
    answering, judging = store.usage(judge)
    described = store.described(judge)
    return {
        "schema": SCHEMA,
        "name": asked.name,
        "verdict": _verdict_json(
            _warned(replace(verdict, not_tested=(*_unfound(story, asked), *verdict.not_tested)), asked, prompt_change),
            asked,
        ),
        "contexts": [_context_json(e, notes[e.id]) for e in estimates],
        "controls": asdict(prompt_change) if prompt_change else None,
        "rule": {**asdict(rule), "in_words": rule.in_words()},
        "material": asked.material,
        "level": level_of(asked),
        "inference": {key: TARGETS_OF_INFERENCE[key] for key in ("rate", "rate_on_questions_like_these")}
        | ({"rate": TARGETS_OF_INFERENCE["recipe"]} if asked.verdict_of == "this-recipe" else {})
        | {
            "intervals": TARGETS_OF_INFERENCE[
                "extended"
                if asked.looks
                else "sequential"
                if asked.sequential
                else "imported"
                if asked.imported
                else "fixed"
            ]
        },
        "samples": dict(asked.samples),
        "looks": list(asked.looks),
        "answers": answering.calls,
        "calls": answering.calls + judging.calls,
        "tokens": {
            "answers": [answering.prompt_tokens, answering.n_tokens],
            "judgements": [judging.prompt_tokens, judging.n_tokens],
        },
        "usd": {
            "answers": dollars(asked.targets["target"].get("name", ""), answering),
            "judgements": dollars(described.get("name", ""), judging),
        },
        "stopped": stopped,
        "targets": {subject: dict(target) for subject, target in asked.targets.items()},
        "judge": described,
        "judgements": [
            {"judge": who.get("name", ""), "n": n, "counted": id_ == judge} for id_, (who, n) in store.judges().items()
        ],
        "suite": asked.suite,
        "seed": asked.seed,
        **story,
    }


def copying(asked: Asked, store: Store) -> set[tuple[Subject, str]]:
    """Subjects and contexts whose long answers repeat each other for no reason that sampling gives.

    Who gave one answer to two seeds, everywhere; else where an answer is the one before it again far oftener than it
    would be in a random order.
    """
    found = {(subject, "*") for subject in asked.copying}
    if asked.samples["temperature"] > 0:
        found |= {
            pair
            for pair, (repeats, by_chance) in store.adjacent(letters=REPEATS_FROM).items()
            if repeats > by_chance + SURPRISE * max(1.0, by_chance) ** 0.5
        }
    return found


def looked(asked: Asked, store: Store) -> Asked:
    """What was asked, with the looks that were taken before there were as many answers as now; a search needs none
    told, for its limits hold at every look by themselves."""
    return replace(asked, looks=() if asked.sequential else tuple(n for n in asked.looks if n < store.count()))


def _unfound(story: Mapping[str, Any], asked: Asked) -> list[str]:
    """What an audit that found its contexts says nothing of."""
    if "search" in story:
        return [
            f"triggers that few answers do not show, or that no candidate led to ({story['search']['untried']} "
            "candidates were not tried)"
        ]
    if "screen" in story:
        ids = {context.id for context in asked.contexts}
        lower, unscreened = (
            sum(s["context"]["id"] not in ids for s in story["screen"]["screened"]),
            story["screen"]["unscreened"],
        )
        return [
            f"{lower} contexts that likelihood ranked "
            "lower" + (f", and {unscreened} that were not screened" if unscreened else "")
        ]
    return []


def decide(t: Tally, asked: Asked, *, stopped: bool = False) -> Verdict:
    """The verdict over all contexts, with what it covers and what would change it."""
    arms = t.arms(asked)
    reference = (
        {context.id: t.arm(("reference",), context.id, asked.questions) for context in asked.contexts}
        if "reference" in asked.targets
        else {}
    )
    search = Search(asked, t) if asked.anytime else None

    def upheld(found: Verdict) -> Verdict:
        return of_runs(against_reference(found, arms, reference, asked), t, asked)

    stated = {
        of: upheld(each)
        for of, each in (statements(search, t, asked, stopped=stopped) if len(asked.seeds) > 1 else {}).items()
    }
    found = stated[asked.verdict_of] if stated else upheld(conclude(search, arms, asked, stopped=stopped))
    change = (*found.would_change, *would_change(arms, asked, found, search))
    found = of_missing(found, arms, asked, t.reasons)
    said = tested(asked, arms, search, t.counts, stopped=stopped)
    return replace(found, tested=said, not_tested=not_tested(asked, search), would_change=change, statements=stated)


class _Verdict(BaseModel):
    class_: VerdictClass = Field(alias="class")
    carried_by: list[str]
    reasons: list[str]
    tested: list[str]
    not_tested: list[str]
    would_change: list[str]
    warnings: list[str]


class _Findings(BaseModel):
    """What is read of findings, whoever wrote them; more may be there."""

    name: str
    suite: str
    verdict: _Verdict
    contexts: list[ContextEstimate] = Field(min_length=1)
    rule: dict[str, Any]
    judge: dict[str, Any]
    samples: dict[str, Any]
    material: float
    stopped: str | None
    answers: int
    looks: list[int]


def read_findings(run: Path) -> dict[str, Any]:
    """A finished run's findings.

    Raises:
        InputError: the folder holds none, those of another schema, or some that no audit wrote.
    """
    path = run / "findings.json"
    if not path.is_file():
        raise InputError(
            run,
            "is not a finished run",
            expected="a finished run holds findings.json",
            do="run: undertow audit AUDIT.yaml -o RUN (--resume)",
        )
    again = "run: undertow audit RUN --resume, which decides anew on the answers that are there"
    found = read_object(path, do=again)
    if found.get("schema") != SCHEMA:
        raise InputError(
            path,
            f"has schema {found.get('schema')!r}",
            expected=f"this version reads {SCHEMA!r}",
            do="use the version that made it, or audit anew",
        )
    try:
        _Findings.model_validate_json(json.dumps(found), strict=True)
        rule_of(found)
    except ValidationError as error:
        raise InputError(
            path, f"holds no findings ({with_place(error.errors()[0])})", expected="what an audit wrote", do=again
        ) from None
    return found


def _estimates(t: Tally, asked: Asked, store: Store) -> list[ContextEstimate]:
    repeats: dict[str, tuple[int, int]] = {}
    for (subject, context), (n, repeated) in (
        store.repeats(letters=REPEATS_FROM) if asked.samples["temperature"] > 0 else {}
    ).items():
        if is_target(subject):
            before = repeats.get(context, (0, 0))
            repeats[context] = before[0] + n, before[1] + repeated
    found = [estimate(context, t, asked, repeats.get(context.id, (0, 0))) for context in asked.contexts]
    others = [context.id for context in asked.contexts if context != asked.plain]
    of = t.arms(asked)
    p = p_values(
        [of[id_] for id_ in others], of[asked.plain.id], material=asked.material, multiplicity=asked.multiplicity
    )
    of_context = dict(zip(others, p, strict=True))
    return [replace(e, p_over_plain=of_context.get(e.id)) for e in found]


def _warned(verdict: Verdict, asked: Asked, prompt_change: Interval | None) -> Verdict:
    """The verdict with a warning where a control does the same."""
    irrelevant = [c.id for c in asked.contexts if c.relation == "irrelevant" and c.id in verdict.carried_by]
    words = [*verdict.warnings, *asked.notes]
    if irrelevant:
        words.append(f"{', '.join(irrelevant)}: an irrelevant prompt carries it too, so any change of prompt may do")
    if prompt_change and prompt_change.low is not None and prompt_change.low > 0:
        words.append(
            f"irrelevant controls are at least {100 * prompt_change.low:.1f} points over plain: so much is "
            "what a "
            "change of prompt does by itself"
        )
    return replace(verdict, warnings=tuple(words))


def _verdict_json(verdict: Verdict, asked: Asked) -> dict[str, Any]:
    lists = ("carried_by", "reasons", "tested", "not_tested", "would_change", "warnings")
    stated = {
        of: {
            "class": each.class_,
            **{key: list(getattr(each, key)) for key in ("carried_by", "reasons", "would_change")},
        }
        for of, each in verdict.statements.items()
    }
    return {
        "class": verdict.class_,
        **{key: list(getattr(verdict, key)) for key in lists},
        "of": asked.verdict_of if stated else None,
        "statements": stated,
    }


def _context_json(e: ContextEstimate, note: str) -> Mapping[str, Any]:
    out = {**asdict(e), "note": note}
    out["rate"] |= {"eligible": e.eligible, "all": e.all}
    return out
