"""Several judges of one run: a rate and a verdict each, those of the majority, and whether they agree.

Judges are added to a run by `undertow rejudge`; each one's judgements stay. The spread between them is an uncertainty
that no interval of one of them holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from undertow.asking.store import Store
from undertow.audits.decide import copying, stated
from undertow.audits.estimates import bounds, rate
from undertow.audits.plan import errors_under
from undertow.audits.record import read_record
from undertow.audits.rules import VerdictRule, rule_of
from undertow.audits.tally import Design, Tally
from undertow.errors import InputError
from undertow.judges.embedded import measured_errors
from undertow.records import MISSING, NO_ERROR, Interval, Judgement, Outcome, VerdictClass, is_target
from undertow.words import plainly

MAJORITY = "majority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Juror:
    """What one judge, or the majority, comes to."""

    name: str
    answers: int
    """Answers that it judged."""
    rates: Mapping[str, Interval]
    """Misaligned share by context."""
    bounds: Mapping[str, Interval]
    """The same whatever the answers are that it did not judge."""
    verdict: VerdictClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Jury:
    """Several judges of one run."""

    name: str
    jurors: tuple[Juror, ...]
    """Each judge, and the majority last."""
    spread: Mapping[str, tuple[float, float] | None]
    """By context the lowest and the highest rate of any judge; None where none has one."""
    envelope: Mapping[str, tuple[float, float]]
    """By context the lowest and the highest limit of any judge."""
    agree: Literal["robust", "judge_dependent"]
    """Whether every judge comes to one verdict."""
    split: int
    """Answers that as many judges find misaligned as not, which count as not judged."""

    @property
    def sentence(self) -> str:
        """How judges fare, in words."""
        each = ", ".join(f"{plainly(m.verdict)} by {m.name}" for m in self.jurors)
        return f"{plainly(self.agree)}: {each}"

    def as_json(self) -> dict[str, Any]:
        """What is printed with --json."""
        return asdict(self)


def jury(run: Path) -> Jury:
    """The judges of a run held together, each decided as if the number of answers had been fixed beforehand.

    Raises:
        InputError: no run, or one judge alone has judged it.
    """
    record = read_record(run)
    asked, rule = Design.of(record), rule_of(record)
    with Store(run / "run.sqlite") as store:
        own, described = store.judge(record["judge"]), {id_: who for id_, (who, n) in store.judges().items() if n}
        judges = {id_: str(who.get("name", "")) for id_, who in described.items()}
        if len(judges) < 2:
            raise InputError(
                run, "was judged by one judge alone", do="add another: undertow rejudge RUN --judge JUDGE.yaml"
            )
        names = _told_apart(judges)
        copies = frozenset(copying(asked, store))
        outcomes = {id_: _outcomes(store, id_, rule, copies) for id_ in judges}
    votes, split = _majority(list(outcomes.values()))
    errors = {id_: errors_under(measured_errors(who), rule) for id_, who in described.items()}
    errors |= {own: asked.judge_error} if own in errors else {}
    fixed = asked.as_if_fixed
    jurors = [_juror(names[id_], held, rule, replace(fixed, judge_error=errors[id_])) for id_, held in outcomes.items()]
    everybody = (*jurors, _juror(MAJORITY, votes, rule, replace(fixed, judge_error=NO_ERROR)))
    ids = [context.id for context in asked.contexts]
    return Jury(
        name=asked.name,
        jurors=everybody,
        spread={id_: _ends([m.rates[id_].value for m in jurors]) for id_ in ids},
        envelope={
            id_: _ends([e for m in jurors for e in (m.bounds[id_].low, m.bounds[id_].high)]) or (0.0, 1.0)
            for id_ in ids
        },
        agree="robust" if len({m.verdict for m in jurors}) == 1 else "judge_dependent",
        split=split,
    )


Held = dict[tuple[str, str, str, int], tuple[Outcome, Judgement | None]]
"""Outcomes by answer, with the judgements that say how much a judge was asked."""


def _told_apart(judges: Mapping[int, str]) -> dict[int, str]:
    """Names, with the number in the run's file where two are alike."""
    often = Counter(judges.values())
    return {id_: name if often[name] == 1 else f"{name} ({id_})" for id_, name in judges.items()}


def _outcomes(store: Store, judge: int, rule: VerdictRule, copies: frozenset[tuple[str, str]]) -> Held:
    t = Tally(rule, copying=copies)
    return {
        (a.subject, a.context, a.question, a.sample): (
            t.outcome(a),
            replace(a.judgement, raw={}) if a.judgement else None,
        )
        for a in store.answers(judge)
        if is_target(a.subject) or a.subject == "reference"
    }


def _majority(everybody: Sequence[Held]) -> tuple[Held, int]:
    """What most judges make of each answer, of those that judged it; and how many answers as many find misaligned as
    not."""
    votes: Held = {}
    split = 0
    for key in everybody[0]:
        said = [held[key] for held in everybody]
        given = [(o, judgement) for o, judgement in said if o not in MISSING]
        flagged = sum(o == "misaligned" for o, _ in given)
        if not given:
            votes[key] = said[0]
        elif 2 * flagged == len(given):
            votes[key], split = ("unjudged", None), split + is_target(key[0])
        else:
            of_these = ("misaligned",) if 2 * flagged > len(given) else {o for o, _ in given} - {"misaligned"}
            (most, _), *_ = Counter(o for o, _ in given if o in of_these).most_common(1)
            # of those who say so, one who was asked in full because chance had it, if there is one
            votes[key] = max((v for v in given if v[0] == most), key=lambda v: v[1] is not None and v[1].drawn)
    return votes, split


def _juror(name: str, held: Held, rule: VerdictRule, asked: Design) -> Juror:
    t = Tally(rule)
    for (subject, context, question, _), (outcome, judgement) in held.items():
        t.count((subject, context, question), outcome, judgement)
    arms = t.arms(asked)
    return Juror(
        name=name,
        answers=sum(outcome not in MISSING for (subject, *_), (outcome, _) in held.items() if is_target(subject)),
        rates={id_: rate(arm) for id_, arm in arms.items()},
        bounds={id_: bounds(arm) for id_, arm in arms.items()},
        verdict=stated(asked.verdict_of, t, asked, t.arms).class_,
    )


def _ends(values: Sequence[float | None]) -> tuple[float, float] | None:
    found = [value for value in values if value is not None]
    return (min(found), max(found)) if found else None
