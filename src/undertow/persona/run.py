"""Running a persona plan: answers to the prompts, their harm, and what the model says of itself; then a profile for
each context.

    runs/<name>/
      plan.json      resolved configuration, items, contexts, every start, hashes
      run.sqlite     answers with the first token's probabilities, and judgements of harm, written as they arrive
      persona.json   profiles of the target, and of the reference, in every context
      persona.html   figures/*

Along with an audit, that folder is runs/<name>/persona.

What is asked of recognition and prediction hangs on the answers and their harm, so it comes last; all of it follows
from what is stored, and an interrupted run goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from undertow.asking.ask import Asking, Judging, probe_all
from undertow.asking.budget import Budget, require_prices
from undertow.asking.folder import alone, asks_more, going_on, open_folder, require_same, same_judge
from undertow.asking.pause import Streak
from undertow.asking.store import Store, StoredAnswer
from undertow.audits.findings import read_findings
from undertow.audits.labelling import Judged
from undertow.audits.record import read_record, read_run_config
from undertow.audits.tally import Design
from undertow.errors import InputError
from undertow.files import adapter, read_of_schema, to_json, write_text
from undertow.persona.call import Call
from undertow.persona.instruments import TABLE, harmfulness
from undertow.persona.instruments.protocol import About
from undertow.persona.labels import design_of, harm_rule, judge_errors
from undertow.persona.likelihoods import Likelihoods
from undertow.persona.plan import PersonaPlan, holds_persona, make_persona_plan, persona_of, read_run_persona
from undertow.persona.profile import Profile, profile, profile_json
from undertow.persona.readings import Reading
from undertow.persona.stored import REFERENCE, REWRITER, Key, Stored
from undertow.persona.thresholds import Thresholds
from undertow.progress import Progress, silent
from undertow.records import PLAIN, Context, Request, Sampling, Subject
from undertow.targets import Target
from undertow.targets.local import LocalTarget
from undertow.targets.pool import all_open

SCHEMA = "undertow.persona-run/1"
RESULT = "persona.json"
EARLIER = "persona.earlier.json"
"""What a run found before it was asked in more contexts."""
TOP = 20
"""Candidates of the first token that are asked for, as judges ask."""
PROBE = Sampling(temperature=0.0, max_tokens=24, top_logprobs=TOP)
"""How one is asked whose first token is read, and enough behind it to see that it is meant."""
TRIED = 4
"""Probes after which a model that gave no probabilities is asked for none any more."""
SAID_TOKENS = 64
"""Longest answer that is read as a choice, a number or a word, in tokens."""
JUDGEMENTS = "judgements of harm"
"""What the judge gives, to users."""


def run_persona(
    plan: PersonaPlan,
    out: Path,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> dict[str, Any] | None:
    """Run a plan in its folder and return what `persona.json` holds; None where the budget ended it before that.

    Interrupted at any moment, it keeps every row written and goes on with `resume`.

    Args:
        retry_failed: on resuming, ask and judge again what failed.
        budget: what it may take in all.

    Raises:
        RunExists: the folder exists and `resume` was not asked for.
        InputError: the folder holds a run of another plan, or a model or the judge cannot be used.
        Paused: too many answers or judgements in a row gave nothing usable.
    """
    record, tell = plan.record(), progress or silent
    before = going_on(out, record, result=RESULT, resume=resume, read=partial(read_record, needs=()), extends=_extends)
    if budget and budget.usd is not None:
        rewriter = [plan.rewriter.describe()] if plan.rewriter else []
        require_prices(*(target.describe() for target in plan.targets.values()), plan.judge.describe(), *rewriter)
    with alone(out):
        return asyncio.run(_persona(plan, out, record, before, retry_failed=retry_failed, budget=budget, tell=tell))


async def _persona(
    plan: PersonaPlan,
    out: Path,
    record: dict[str, Any],
    before: dict[str, Any] | None,
    *,
    retry_failed: bool,
    budget: Budget | None,
    tell: Progress,
) -> dict[str, Any] | None:
    grows = before is not None and asks_more(before, record)
    as_it_was = before is not None and same_judge(before, record) and not retry_failed and not grows
    asked = [*plan.targets.values(), *([plan.rewriter] if plan.rewriter else [])]
    async with all_open(*asked, plan.judge):
        if not (as_it_was and (out / RESULT).is_file()):  # else hardly anything is left to ask
            await probe_all(asked, plan.judge, plan.sampling)
        record = open_folder(out, record, before, result=RESULT)
        if grows and (out / RESULT).is_file():  # it is of less than the run is now
            (out / RESULT).replace(out / EARLIER)
        with Store(out / "run.sqlite", to="make") as store:
            if retry_failed:
                store.forget_failed()
            flow = _Flow(plan, store, budget, tell, warned=as_it_was)
            await flow.run()
            if flow.asking.stopped:
                return None
            found = _found(plan, record, flow.readings(), store)
    write_text(out / RESULT, to_json(found))
    return found


def profile_audit(
    run: Path, *, retry_failed: bool = False, budget: Budget | None = None, progress: Progress | None = None
) -> dict[str, Any] | None:
    """The persona profile that a finished audit asks for, in the folder `persona` of its run; goes on with what is
    there. None where the budget does not hold it.

    Args:
        retry_failed: ask and judge again what failed.
        budget: of audit and persona together.

    Raises:
        InputError: as `run_persona`; the folder is no finished audit, or its configuration has no `persona`.
    """
    config, place = read_run_config(run)
    if config.persona is None:
        raise InputError(run / "plan.json", "asks for no persona", do="add `persona: {}` to the audit")
    found = read_findings(run)
    rates = {each.id: each.rate.value or 0.0 for each in found.contexts}
    most = max(found.verdict.carried_by, key=lambda id_: rates.get(id_, 0.0), default=None)
    record = read_record(run)
    carrying = [each for each in Design.of(record).contexts if each.id == most and each.wraps]
    # what it was asked in before stays: an audit that goes on may come to another verdict
    contexts = tuple({each.id: each for each in (*_asked_in(run / "persona"), *carrying)}.values())
    plan = make_persona_plan(persona_of(config, contexts), place)
    tokens = (found.tokens.answers, found.tokens.judgements, found.tokens.proposals or ())
    left = budget and budget.after(calls=found.calls, tokens=sum(map(sum, tokens)), usd=sum(found.usd.known.values()))
    return run_persona(plan, run / "persona", resume=True, retry_failed=retry_failed, budget=left, progress=progress)


def _extends(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a plan asks for all that it did, and in more contexts or of more training seeds."""
    if key == "targets":
        return all(now[key].get(subject) == target for subject, target in before[key].items())
    return key == "contexts" and all(context in now[key] for context in before[key])


def _asked_in(run: Path) -> list[Context]:
    """The contexts that a run, where there is one, was profiled in, but for plain."""
    if not holds_persona(run):
        return []
    held = adapter(tuple[Context, ...]).validate_python(read_record(run, needs=("contexts",))["contexts"])
    return [context for context in held if context.wraps]


def _as_asked(run: Path) -> tuple[PersonaPlan, dict[str, Any]]:
    """A run's plan, made anew, and its record.

    Raises:
        InputError: the plan would ask something else now, such as items that were edited since.
    """
    plan, record = make_persona_plan(*read_run_persona(run)), read_record(run, needs=())
    require_same(run, record, plan.record(), extends=_extends)
    return plan, record


def profiled(run: Path) -> Judged:
    """A finished persona run whose answers may be labelled.

    Raises:
        InputError: the folder holds none.
    """
    read_personas(run)
    plan, record = _as_asked(run)
    return Judged(
        run=run,
        asked=design_of(plan),
        rule=harm_rule(plan.config.over),
        judge=record["judge"],
        questions={prompt.id: prompt.text for prompt in plan.items.harmfulness},
    )


def profile_anew(run: Path) -> dict[str, Any]:
    """Profile a finished persona run again on its answers and labels, in its `persona.json`. Asks nobody.

    Raises:
        InputError: no finished persona run, or labels that cannot be read.
    """
    plan, record = _as_asked(run)
    if not same_judge(record, plan.record()):
        raise InputError(
            run,
            "was judged by another judge than its settings now make",
            do="undertow persona RUN --resume judges anew",
        )
    with Store(run / "run.sqlite") as store:
        found = _found(plan, record, _Flow(plan, store, None, silent, warned=True).readings(), store)
    write_text(run / RESULT, to_json(found))
    return found


def read_readings(run: Path) -> list[Reading]:
    """What was read of everything that a persona run has asked so far, be it finished or not. Asks nobody.

    Raises:
        InputError: no persona run, or a model that it asks is not there any more.
    """
    plan, _ = _as_asked(run)
    with Store(run / "run.sqlite") as store:
        return _Flow(plan, store, None, silent, warned=True).readings()


def read_personas(run: Path) -> dict[str, Any]:
    """What `persona.json` of a finished run holds, or of an audit that profiled its persona.

    Raises:
        InputError: the folder holds none.
    """
    path = next((path for path in (run / "persona.json", run / "persona" / "persona.json") if path.is_file()), None)
    if path is None:
        begun = (run / "plan.json").is_file()
        found, do = (
            ("was begun and not finished", "add --resume to go on with it")
            if begun
            else ("holds no persona profile", "run: undertow persona PERSONA.yaml")
        )
        raise InputError(run, found, expected="a finished run holds persona.json", do=do)
    return read_of_schema(path, SCHEMA, "name", "profiles", do="profile it again: undertow persona RUN --resume")


def _found(plan: PersonaPlan, record: dict[str, Any], readings: Sequence[Reading], store: Store) -> dict[str, Any]:
    """What `persona.json` holds."""
    thresholds = Thresholds.by(plan.config.harm, over=plan.config.over)
    errors = judge_errors(plan, store)
    who: dict[Subject, tuple[Subject, ...]] = {"target": plan.profiled} | (
        {REFERENCE: (REFERENCE,)} if REFERENCE in plan.targets else {}
    )
    profiles: list[tuple[Subject, Profile]] = [
        (
            subject,
            profile(
                readings,
                name=str(plan.targets[subject].describe()["name"]),
                context=context.id,
                subjects=subjects,
                thresholds=thresholds,
                judge=errors[context.id],
                seed=plan.config.seed,
            ),
        )
        for subject, subjects in who.items()
        for context in plan.contexts
    ]
    return {
        "schema": SCHEMA,
        "name": plan.config.name,
        **{
            key: record[key]
            for key in ("targets", "judge", "items", "reading", "runs", "over", "seed", "versions", "revision")
        },
        "answers": store.count(),
        "failed": store.failed(),
        "profiles": [{"subject": subject, **profile_json(found)} for subject, found in profiles],
    }


class _Flow:
    """What a persona asks, and in which order."""

    def __init__(self, plan: PersonaPlan, store: Store, budget: Budget | None, tell: Progress, *, warned: bool) -> None:
        """
        Args:
            warned: the run goes on as it was, so a pause that it came to before has been read.
        """
        self.plan, self.store, self.tell, self.warned = plan, store, tell, warned
        self.judging = Judging(
            store, plan.judge, plan.items.harmfulness if plan.needs_answers else (), warned=warned, who=JUDGEMENTS
        )
        targets = {**plan.targets, **({REWRITER: plan.rewriter} if plan.rewriter else {})}
        self.asking = Asking(store, targets, judging=self.judging, budget=budget, warned=warned)
        self.asking.usable = lambda answer: answer.text is not None  # a probe may stop before it has a word
        self.asking.tick = self._report
        self.stage: tuple[str, int, int] = ("", 0, 0)
        """Its name, the answers stored before it, and those that it asks for."""
        self.n_judged = self.judging.n
        self.held: dict[Key, StoredAnswer] = {}
        self.last = 0
        """Id of the last answer that is held."""
        self._look()

    async def run(self) -> None:
        await self.asking.run(self._everything)

    async def _everything(self) -> None:
        """Ask what is missing; judging goes on beside it."""
        plan = self.plan
        if plan.config.reading == "logprobs":  # known before anything else is paid for
            for subject in plan.targets:
                await self._tried(f"self-reports of {subject}", subject, self._calls(subject, "itself"))
        if plan.needs_answers:
            for subject in plan.targets:
                await self._ask(f"answers of {subject}", subject, list(self._prompts(subject)))
        for subject in plan.targets:
            await self._read(f"self-reports of {subject}", subject, self._calls(subject, "itself"))
        await self.asking.all_judged()
        self._look(judged=True)
        await self._ask("safe foils", REWRITER, self._rewritings())
        self._look()
        of_answers = " and ".join(i.id for i in TABLE.values() if i.about == "its answers")
        for subject in plan.targets:
            await self._read(f"{of_answers} by {subject}", subject, self._calls(subject, "its answers"))

    def readings(self) -> list[Reading]:
        """All that was asked, read."""
        self._look(judged=True)
        found = []
        for subject in self.plan.targets:
            if self.plan.wants("harmfulness"):
                found += [harmfulness.reading(r, self.held.get(r.key)) for r in self._prompts(subject)]
            for call in (*self._calls(subject, "itself"), *self._calls(subject, "its answers")):
                found += call.readings(
                    subject, self.held, way=self.plan.config.reading, repeats=self.plan.config.repeats
                )
        return found

    def _look(self, *, judged: bool = False) -> None:
        """Hold what was stored since the last look; with `judged` all of it, with its judgements."""
        for a in self.store.answers(self.judging.id, after=0 if judged else self.last):
            self.held[a.subject, a.context, a.question, a.sample] = a
            self.last = a.id

    # What is asked

    def _prompts(self, subject: Subject) -> Iterator[Request]:
        for sample in range(self.plan.config.runs):
            for context in self.plan.contexts:
                for prompt in self.plan.items.harmfulness:
                    yield self.plan.request(subject, context, prompt, sample, sampling=self.plan.sampling)

    def _stored(self, subject: Subject, context: Context) -> Stored:
        return Stored(
            subject=subject,
            context=context,
            prompts=self.plan.items.harmfulness,
            runs=self.plan.config.runs,
            over=self.plan.config.over,
            rewrites=self.plan.rewriter is not None,
            answers=self.held,
        )

    def _calls(self, subject: Subject, about: About) -> list[Call]:
        """What the instruments ask that are about one thing."""
        return [
            call
            for context in self.plan.contexts
            for instrument in TABLE.values()
            if instrument.about == about and self.plan.wants(instrument.id)
            for call in instrument.calls(self.plan.items.part(instrument.id), self._stored(subject, context))
        ]

    def _rewritings(self) -> list[Request]:
        """What the rewriter is asked, each once."""
        if self.plan.rewriter is None:
            return []
        asked = {
            question.id: question
            for subject in self.plan.profiled
            for context in self.plan.contexts
            for instrument in TABLE.values()
            if self.plan.wants(instrument.id)
            for question in instrument.rewritings(self.plan.items.part(instrument.id), self._stored(subject, context))
        }
        return [
            self.plan.request(REWRITER, PLAIN, question, 0, sampling=self.plan.sampling) for question in asked.values()
        ]

    # Asking

    async def _ask(self, stage: str, subject: Subject, requests: Sequence[Request], by: Target | None = None) -> None:
        if self.asking.over:
            return
        missing = list(self.store.missing(requests))
        if not missing:
            return
        self.stage = stage, self.asking.n, len(missing)
        self.asking.streak = Streak(f"answers ({stage})", self.store.path.parent, warned=self.warned)
        await self.asking.ask(subject, missing, by=by)
        self._report()

    def _report(self) -> None:
        name, before, total = self.stage
        if name:
            self.tell(name, self.asking.n - before, total, "")
        if (judged := self.judging.n - self.n_judged) or self.judging.waiting:
            self.tell(JUDGEMENTS, judged, judged + self.judging.waiting, "")

    async def _read(self, stage: str, subject: Subject, wanted: Sequence[Call]) -> None:
        """Ask so that each can be read, in the way that the plan says."""
        reading, target = self.plan.config.reading, self.plan.targets[subject]
        if not wanted:
            return
        probes = [self._probe(subject, call) for call in wanted]
        if reading == "likelihood":
            assert isinstance(target, LocalTarget)  # the plan saw to it
            await self._ask(stage, subject, probes, by=Likelihoods(target, wanted))
            return
        unread = list(wanted)
        if reading != "text":
            gives = await self._tried(stage, subject, wanted)
            if self.asking.over:
                return
            if gives:
                await self._ask(stage, subject, probes)
                self._look()
                unread = [call for call in wanted if self._unread(subject, call)] if reading == "auto" else []
        sampling = Sampling(temperature=self.plan.config.temperature, max_tokens=SAID_TOKENS)
        in_words = [
            self.plan.request(subject, call.context, call.question, sample, sampling=sampling)
            for sample in range(1, 1 + self.plan.config.repeats)
            for call in unread
        ]
        await self._ask(f"{stage}, in words", subject, in_words)

    async def _tried(self, stage: str, subject: Subject, wanted: Sequence[Call]) -> bool:
        """Whether a model gives log-probabilities, by a few probes; where all of them failed, it may.

        Raises:
            InputError: it gives none, and the plan demands them.
        """
        probes = [self._probe(subject, call) for call in wanted[:TRIED]]
        await self._ask(stage, subject, probes)
        self._look()
        came = [a for request in probes if (a := self.held.get(request.key)) is not None and a.text is not None]
        gives = not came or any(a.first_token for a in came)
        if not gives and self.plan.config.reading == "logprobs":
            raise InputError(
                subject,
                "gives no log-probabilities",
                expected="reading: logprobs demands them",
                do="use reading: auto or text",
            )
        return gives

    def _probe(self, subject: Subject, call: Call) -> Request:
        return self.plan.request(subject, call.context, call.question, 0, sampling=PROBE)

    def _unread(self, subject: Subject, call: Call) -> bool:
        """Whether a call that was probed gave nothing to read."""
        probe = self.held.get((subject, call.context.id, call.ask.id, 0))
        return call.from_probe(probe, way=self.plan.config.reading) is None
