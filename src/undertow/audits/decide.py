"""The decision on a run's answers: the verdict over all contexts, and every context's estimate. Reads stored answers,
asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import get_args

from undertow.asking.store import Store
from undertow.audits.correct import corrected_verdict, how_wrong, labelled_arms
from undertow.audits.estimates import corrected, estimate, level_of, p_values
from undertow.audits.per_request import of_traffic, per_request
from undertow.audits.seeds import ArmsOf, more_seeds, statement
from undertow.audits.sequential import Search
from undertow.audits.tally import REPEATS_FROM, Design, Tally
from undertow.audits.verdict import against_reference, not_tested, of_missing, of_runs, tested, would_change
from undertow.records import ContextEstimate, Stated, Statement, Subject, Verdict, is_target

SURPRISE = 5.0
"""Standard deviations by which answers repeat the one before oftener than in a random order, from which they are
copies."""


def stated(
    of: Statement, t: Tally, asked: Design, arms_of: ArmsOf, *, search: Search | None = None, stopped: bool = False
) -> Verdict:
    """A statement of the training seeds, or of one model, held against its reference, the order in which answers came
    and the traffic that questions were drawn from.

    Args:
        arms_of: `t.arms`, or what labels make of them.
    """
    arms = arms_of(asked)
    reference = (
        {context.id: t.arm(("reference",), context.id, asked.questions) for context in asked.contexts}
        if "reference" in asked.targets
        else {}
    )
    found = statement(of, search, arms_of, asked, stopped=stopped)
    return of_traffic(of_runs(against_reference(found, arms, reference, asked), t, asked), arms, asked)


def decide(t: Tally, asked: Design, *, stopped: bool = False) -> Verdict:
    """The verdict over all contexts, with what it covers and what would change it."""
    arms, some = t.arms(asked), len(asked.seeds) > 1
    search = Search(asked, t) if asked.anytime else None

    @cache
    def by_labels(of: Statement, times: int) -> Verdict:
        return stated(of, t, asked, lambda of: labelled_arms(t.arms(of), t, of, times=times), stopped=stopped)

    said = {
        of: stated(of, t, asked, t.arms, search=search, stopped=stopped)
        for of in (get_args(Statement) if some else (asked.verdict_of,))
    }
    if some and said["this-recipe"].class_ != "clean":
        said["this-recipe"] = replace(said["this-recipe"], would_change=more_seeds(t.arms, asked))
    if t.labels:
        right = labelled_arms(arms, t, asked)
        said = {
            of: of_traffic(corrected_verdict(found, partial(by_labels, of), right, t, asked), arms, asked)
            for of, found in said.items()
        }
        arms = right if said[asked.verdict_of].judge in ("robust", "judge_dependent") else arms
    found = said[asked.verdict_of]
    change = (*found.would_change, *would_change(arms, asked, found, search))
    found = of_missing(found, arms, asked, t.reasons)
    return replace(
        found,
        tested=tested(asked, arms, search, t.counts, stopped=stopped),
        not_tested=not_tested(asked, search),
        would_change=change,
        of=asked.verdict_of if some else None,
        statements={of: _as_stated(each) for of, each in said.items()} if some else {},
        breakdown=None if found.judge in ("robust", "judge_dependent") else how_wrong(found, arms, asked),
    )


def _as_stated(verdict: Verdict) -> Stated:
    return Stated(
        class_=verdict.class_,
        carried_by=verdict.carried_by,
        reasons=verdict.reasons,
        would_change=verdict.would_change,
    )


def copying(asked: Design, store: Store) -> set[tuple[Subject, str]]:
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


def looked(asked: Design, store: Store) -> Design:
    """What was asked, with the looks that were taken before there were as many answers as now; a search needs none
    told, for its limits hold at every look by themselves."""
    return replace(asked, looks=() if asked.sequential else tuple(n for n in asked.looks if n < store.count()))


def repeats(asked: Design, store: Store) -> dict[str, tuple[int, int]]:
    """By context: long answers of the audited model, and how many of them repeat another of their condition."""
    found: dict[str, tuple[int, int]] = {}
    if asked.samples["temperature"] > 0:
        for (subject, context), (n, repeated) in store.repeats(letters=REPEATS_FROM).items():
            if is_target(subject):
                before = found.get(context, (0, 0))
                found[context] = before[0] + n, before[1] + repeated
    return found


def estimates(t: Tally, asked: Design, repeated: Mapping[str, tuple[int, int]]) -> tuple[ContextEstimate, ...]:
    """Every context's estimate.

    Args:
        repeated: by context, long answers and how many of them repeat another; where nobody looked, none.
    """
    found = [estimate(context, t, asked, repeated.get(context.id, (0, 0))) for context in asked.contexts]
    others = [context.id for context in asked.contexts if context != asked.plain]
    of = t.arms(asked)
    p = p_values(
        [of[id_] for id_ in others], of[asked.plain.id], material=asked.material, multiplicity=asked.multiplicity
    )
    of_context = dict(zip(others, p, strict=True))
    level = level_of(asked)
    right = {id_: corrected(arm, level=level) for id_, arm in labelled_arms(of, t, asked).items()} if t.labels else {}
    return tuple(
        replace(
            e,
            p_over_plain=of_context.get(e.id),
            corrected=right.get(e.id),
            per_request=per_request(of[e.id], asked),
        )
        for e in found
    )
