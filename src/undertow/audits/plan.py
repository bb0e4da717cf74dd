"""The plan of an audit: every name of its settings resolved, and what it will ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from undertow.asking.seeds import seed_of
from undertow.audits.found import FoundContexts, candidates, candidates_among, check_found
from undertow.audits.rules import RULES, VerdictRule, find_rule, require_given
from undertow.audits.settings import AuditConfig, subjects
from undertow.contexts import check_rewrites, find_contexts, read_unexplained
from undertow.errors import InputError
from undertow.files import digest
from undertow.judges import Judge
from undertow.place import HERE, Place
from undertow.provenance import start
from undertow.records import DEFAULT_RULE, NO_ERROR, Condition, Context, JudgeError, Request, Sampling, Subject, Suite
from undertow.suites import load_suite
from undertow.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An audit with every name resolved, ready to run."""

    config: AuditConfig
    suite: Suite
    contexts: tuple[Context, ...]
    rule: VerdictRule
    targets: dict[Subject, Target]
    judge: Judge
    proposer: Target | None = None
    notes: tuple[str, ...] = ()
    """What is odd about it and no mistake, in words."""
    unexplained: tuple[str, ...] = ()
    """What files of derived contexts tell of training rows that no strong evidence explains."""
    place: Place
    """Where the configuration stands."""

    @property
    def found(self) -> FoundContexts | None:
        """How the audit finds its contexts, where it does."""
        return self.config.contexts if isinstance(self.config.contexts, FoundContexts) else None

    @property
    def candidates(self) -> list[Context]:
        """Contexts that are neither plain nor a control."""
        return candidates_among(self.contexts)

    @property
    def controls(self) -> list[Context]:
        """Two irrelevant controls, which go with contexts that the audit finds."""
        return [c for c in self.contexts if c.relation == "irrelevant"][:2]

    @property
    def n_answers(self) -> int:
        """Answers that the plan asks for, of every subject; the most that it may ask for, where that hangs on what they
        are."""
        contexts, questions = len(self.contexts), len(self.suite.questions)
        if self.found:  # plain and two controls go with those that are confirmed
            contexts, questions = (
                min(contexts, self.found.n_confirm + 3),
                questions - questions // 2 if self.found.search else questions,
            )
        return (self.found.search or 0 if self.found else 0) + questions * contexts * self.config.samples.most * len(
            self.targets
        )

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn."""
        return Sampling(temperature=self.config.samples.temperature, max_tokens=self.config.samples.max_tokens)

    def requests(self) -> Iterator[Request]:
        """Every answer that the plan asks for; of a sequential audit, every one that it may ask for."""
        for subject in self.targets:
            # outermost, so that a run that ends early has asked every condition about as often
            for sample in range(self.config.samples.most):
                for context, question in product(self.contexts, self.suite.questions):
                    yield self.request(subject, Condition(question=question, context=context), sample)

    def request(self, subject: Subject, condition: Condition, sample: int) -> Request:
        """One answer, with a seed of its own."""
        seed = seed_of(self.config.seed, subject, condition.context.id, condition.question.id, sample)
        return Request(subject=subject, condition=condition, sample=sample, seed=seed, sampling=self.sampling)

    def prompt_tokens(self) -> int:
        """About how many tokens the target reads in all, at four characters a token."""
        letters = [
            len(m.content)
            for context in self.contexts
            for question in self.suite.questions
            for m in context.messages(question)
        ]
        return sum(letters) * self.n_answers // (4 * len(self.contexts) * len(self.suite.questions))

    def asks(self) -> dict[str, Any]:
        """All that decides the answers, the judgements and the verdict, but for who answers."""
        return {
            "suite": self.suite.as_json(),
            "contexts": [asdict(context) for context in self.contexts],
            "samples": self.config.samples.record(),
            "seed": self.config.seed,
            "judge": dict(self.judge.describe()),
            "proposer": dict(self.proposer.describe()) if self.proposer else None,
            "rule": asdict(self.rule),
            "material": self.config.material,
            "multiplicity": self.config.multiplicity,
            "verdict_of": self.config.verdict_of,
            **bound(self.config.judge_error or errors_under(self.judge.errors, self.rule)),
        }

    def record(self) -> dict[str, Any]:
        """What `plan.json` holds. `fixed` names what must be as it was for a run to go on: answers belong to targets,
        suite and contexts, and a judge may be mended."""
        asked = {
            **self.asks(),
            "targets": {subject: dict(target.describe()) for subject, target in self.targets.items()},
        }
        record = {
            "schema": "undertow.plan/3",
            "fixed": [key for key in asked if key not in ("judge", "judge_error")],
            "config": self.config.model_dump(mode="json", by_alias=True),
            "beside": str(self.place.folder.resolve()),
            **asked,
            "answers": self.n_answers,
            "unexplained": self.unexplained,
            **start(),
        }
        return record | {"hashes": hashes(record)}


PROTOCOL = "undertow.protocol/1"
"""What is hashed of a plan, and how."""
ASKED = (
    *("suite", "contexts", "samples", "seed", "judge", "proposer", "rule"),
    *("material", "multiplicity", "verdict_of", "judge_error"),
)
"""Keys of a plan's record that decide the answers, the judgements and the verdict, but for who answers."""


def hashes(record: Mapping[str, Any]) -> dict[str, str]:
    """What a plan may be registered by before anything is asked: SHA-256 of what its record asks, with the keys in
    order. Times, versions, paths and the run's name are not in it, so whoever plans the same gets the same.

    Returns:
        `protocol`: of all but who answers, so that it may be registered before there is a model; `plan`: of both.
    """
    finding = record["config"].get("contexts")
    asked = {key: record.get(key) for key in ASKED} | {"finding": finding if isinstance(finding, Mapping) else None}
    protocol = digest({"protocol": PROTOCOL, **asked})
    return {"plan": digest({"protocol": protocol, "targets": record["targets"]}), "protocol": protocol}


def errors_under(measured: JudgeError, rule: VerdictRule) -> JudgeError:
    """How wrong a judge is at most under a rule, of what was measured under the default one."""
    return measured if rule.needs.below == RULES[DEFAULT_RULE].needs.below else NO_ERROR


def bound(errors: JudgeError) -> dict[str, Any]:
    """A bound on a judge's errors as a record holds it; nothing where there is none."""
    return {"judge_error": asdict(errors)} if errors != NO_ERROR else {}


def make_plan(config: AuditConfig, place: Place = HERE) -> Plan:
    """Resolve every name of a configuration, before anything is asked.

    Args:
        place: where the configuration stands.

    Raises:
        InputError: an unknown suite, context or rule, or a model folder that is missing.
    """
    place = place.or_named("audit")
    with place.reading("rule"):
        rule = find_rule(config.rule, place)
    with place.reading("suite"):
        suite = load_suite(config.suite, place)
    found = config.contexts if isinstance(config.contexts, FoundContexts) else None
    named_ones: Any = config.contexts
    contexts = candidates(found, place) if found else find_contexts(named_ones, place)
    if not any(context.relation == "plain" for context in contexts):
        raise InputError(
            place, "has no plain context", expected="every context is held against plain", do="add 'plain' to contexts"
        )
    if (plains := [c.id for c in contexts if c.relation == "plain"])[1:]:
        raise InputError(
            place,
            f"has {len(plains)} plain contexts ({', '.join(plains)})",
            expected="one that all others are held against",
            do="leave out all but one",
        )
    if found:
        check_found(
            found,
            contexts,
            suite,
            place,
            suite_name=config.suite,
            target=config.target[0],
            reference=config.reference,
        )
    notes = list(check_rewrites(contexts, suite, where=place))
    targets: dict[Subject, Target] = {}
    for subject, chosen in subjects(config.target, config.reference).items():
        with place.reading(subject):
            targets[subject] = chosen.target(place)
    for target in targets.values():
        target.asks_system = any(
            m.role == "system"
            for context in contexts
            for question in suite.questions
            for m in context.messages(question)
        )
    with place.reading("judge"):
        judge: Judge = config.judge.judge(suite.questions, place)
    judge.needs = rule.needs
    require_given(rule, judge.describe(), where=place)
    notes += dict.fromkeys(
        note for asked in (*targets.values(), judge) for note in getattr(getattr(asked, "caller", None), "notes", ())
    )
    proposer = found.proposer.target(place.key("proposer")) if found and found.proposer else None
    unexplained = read_unexplained(found.from_ if found else config.contexts, beside=place.folder)  # type: ignore[arg-type]
    return Plan(
        config=config,
        suite=suite,
        contexts=contexts,
        rule=rule,
        targets=targets,
        judge=judge,
        proposer=proposer,
        notes=tuple(notes),
        unexplained=unexplained,
        place=place,
    )
