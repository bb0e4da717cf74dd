"""Running a persona plan: answers to the prompts, their harm, and what the model says of itself; then a profile for
each context.

    runs/<name>/
      plan.json      resolved configuration, items, contexts, versions, hashes
      run.sqlite     answers with the first token's probabilities, and judgements of harm, one row each, written as they arrive
      persona.json   profiles of the target, and of the reference, in every context
      persona.html   figures/*.svg|png

Along with an audit, that folder is runs/<name>/persona.

What is asked of recognition and prediction hangs on the answers and their harm, so it comes last; all of it follows
from what is stored, and an interrupted run goes on where it was.
"""  # noqa: E501

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy.special import softmax

from undertow.audit.budget import Budget, dollars
from undertow.audit.findings import read_findings
from undertow.audit.pause import Streak
from undertow.audit.plan import read_record, read_run_config
from undertow.audit.run import BATCH, EVERY_S, alone, look_at_folder, open_folder, probe_all, same_judge
from undertow.audit.store import Store, StoredAnswer, Usage
from undertow.audit.tally import Asked
from undertow.errors import InputError, UndertowError
from undertow.files import read_object, to_json, write_text
from undertow.judges.panel import harm_of
from undertow.judges.protocol import Item
from undertow.persona.items import Ask
from undertow.persona.plan import REFERENCE, REWRITER, PersonaPlan, make_persona_plan, persona_of
from undertow.persona.profile import Profile, Thresholds, profile, profile_json
from undertow.persona.readings import Reading, ReadOutcome
from undertow.progress import Progress, silent
from undertow.records import PLAIN, Answer, Context, Judgement, Question, Request, Sampling, Subject
from undertow.targets import likelihood
from undertow.targets.local import LocalTarget

T = TypeVar("T")

SCHEMA = "undertow.persona-run/1"
TOP = 20
"""Candidates of the first token that are asked for, as judges ask."""
PROBE = Sampling(temperature=0.0, max_tokens=8, top_logprobs=TOP)
"""How one is asked whose first token is read."""
TRIED = 4
"""Probes after which a model that gave no probabilities is asked for none any more."""
SAID_TOKENS = 64
"""Longest answer that is read as a choice, a number or a word, in tokens."""

JUDGED_TOKENS = 500
"""Tokens of a judgement, before any is known."""


class BudgetSpent(UndertowError):
    """A budget that does not hold what would come next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was taken before, of the same budget."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0


Key = tuple[Subject, str, str, int]
"""Subject, context, question and sample."""


def run_persona(
    plan: PersonaPlan,
    out: Path,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    spent: Spent | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a plan in its folder and return what `persona.json` holds.

    Interrupted at any moment, it keeps every row written and goes on with `resume`.

    Args:
        retry_failed: on resuming, ask and judge again what failed.
        budget: what it may take in all, with what was `spent` before it; a stage that could overdraw it is not begun.

    Raises:
        RunExists: the folder exists and `resume` was not asked for.
        InputError: the folder holds a run of another plan, or a model or the judge cannot be used.
        BudgetSpent: the budget does not hold the next stage; what came is kept.
    """
    return asyncio.run(
        persona(plan, out, resume=resume, retry_failed=retry_failed, budget=budget, spent=spent, progress=progress)
    )


async def persona(
    plan: PersonaPlan,
    out: Path,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    spent: Spent | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`run_persona` for callers that have an event loop of their own."""
    record = plan.record()
    before = look_at_folder(out, record, resume=resume)
    tell = progress or silent
    with alone(out):
        return await _persona(
            plan, out, record, before, retry_failed=retry_failed, budget=budget, spent=spent or Spent(), tell=tell
        )


async def _persona(
    plan: PersonaPlan,
    out: Path,
    record: dict[str, Any],
    before: dict[str, Any] | None,
    *,
    retry_failed: bool,
    budget: Budget | None,
    spent: Spent,
    tell: Progress,
) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        for target in (*plan.targets.values(), *([plan.rewriter] if plan.rewriter else [])):
            await stack.enter_async_context(target)
        await stack.enter_async_context(plan.judge)
        # else hardly anything is left to ask
        if not (before and (out / "persona.json").is_file() and same_judge(before, record) and not retry_failed):
            await probe_all(plan.targets.values(), plan.judge, plan.sampling)
        record = open_folder(out, record, before)
        with Store(out / "run.sqlite", to="make") as store:
            if retry_failed:
                store.forget_failed()
            asking = _Asking(plan, store, tell, budget, spent)
            await asking.everything()
            found = _found(plan, record, asking.readings(), store)
    write_text(out / "persona.json", to_json(found))
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
    carried = found["verdict"]["carried_by"][:1]
    contexts = tuple(
        context for context in Asked.of(read_record(run)).contexts if context.id in carried and context.wraps
    )
    plan = make_persona_plan(persona_of(config, contexts), place)
    spent = Spent(
        calls=found["calls"],
        tokens=sum(sum(tokens) for tokens in found["tokens"].values()),
        usd=sum(cost or 0.0 for cost in found["usd"].values()),
    )
    try:
        return run_persona(
            plan, run / "persona", resume=True, retry_failed=retry_failed, budget=budget, spent=spent, progress=progress
        )
    except BudgetSpent:
        return None


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
    held = read_object(path, do="run: undertow persona RUN --resume")
    if held.get("schema") != SCHEMA:
        raise InputError(
            path, f"has schema {held.get('schema')!r}", expected=f"{SCHEMA!r} is expected here", do="profile it again"
        )
    return held


def _found(plan: PersonaPlan, record: dict[str, Any], readings: Sequence[Reading], store: Store) -> dict[str, Any]:
    """What `persona.json` holds."""
    thresholds = Thresholds(harm=plan.config.harm, over=plan.config.over)
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


async def _until(streak: Streak, items: Sequence[T], key: Callable[[T], Hashable]) -> AsyncIterator[T]:
    """The items, until a streak pauses the run."""
    for item in items:
        if streak.pause:
            return
        streak.ask(key(item))
        yield item


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One call to make, and what its reading will be of."""

    context: Context
    ask: Ask
    item: str
    """The cluster."""
    variant: str = ""
    judged: float | None = None
    """Harm of the answer that it is about, 1 to 5."""

    @property
    def question(self) -> Question:
        question = self.ask.question
        return (
            question if self.judged is None else replace(question, tags=(*question.tags, f"judged={self.judged:.3g}"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """An answer of the model's own that it is asked about."""

    prompt: Question
    sample: int
    text: str
    harm: float


class _Asking:
    """Everything that is asked and judged in one run."""

    def __init__(self, plan: PersonaPlan, store: Store, tell: Progress, budget: Budget | None, spent: Spent) -> None:
        self.plan, self.store, self.tell, self.budget, self.spent = plan, store, tell, budget, spent
        self.judge_id = store.judge(plan.judge.describe())
        self.held: dict[Key, StoredAnswer] = {}
        self._look()

    async def everything(self) -> None:
        """Ask and judge what is missing."""
        plan = self.plan
        if plan.needs_answers:
            for subject in plan.targets:
                await self._ask(f"answers of {subject}", subject, list(self._prompts(subject)))
        try:
            async with asyncio.TaskGroup() as group:  # neither hangs on the other
                group.create_task(self._judge())
                group.create_task(self._ask_about_itself())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self._look()
        if plan.rewriting:
            asked = {
                q.id: q
                for subject in plan.profiled
                for context in plan.contexts
                for own in self._owns(subject, context)
                if (q := self._rewriting(own))
            }
            await self._ask(
                "safe foils",
                REWRITER,
                [plan.request(REWRITER, PLAIN, question, 0, sampling=plan.sampling) for question in asked.values()],
            )
            self._look()
        for subject in plan.targets:
            await self._read(f"recognition and prediction by {subject}", subject, self._about_answers(subject))

    def readings(self) -> list[Reading]:
        """All that was asked, read."""
        self._look()
        found = []
        for subject in self.plan.targets:
            if self.plan.wants("harmfulness"):
                found += [self._harm(request) for request in self._prompts(subject)]
            for asked in (*self._about_itself(), *self._about_answers(subject)):
                found += self._readings_of(subject, asked)
        return found

    def _look(self) -> None:
        """Hold all that is stored."""
        self.held = {(a.subject, a.context, a.question, a.sample): a for a in self.store.answers(self.judge_id)}

    # What is asked

    def _prompts(self, subject: Subject) -> Iterator[Request]:
        for sample in range(self.plan.config.runs):
            for context in self.plan.contexts:
                for prompt in self.plan.items.harmfulness:
                    yield self.plan.request(subject, context, prompt, sample, sampling=self.plan.sampling)

    def _about_itself(self) -> list[_Asked]:
        items = self.plan.items
        asks = (
            *(items.self_assessment if self.plan.wants("self-assessment") else ()),
            *(items.two_ai if self.plan.wants("two-ai") else ()),
        )
        formats = {ask.id: ask.format for ask in asks if ask.instrument == "self-assessment"}
        return [
            _Asked(context=context, ask=ask, item=ask.item, variant=formats.get(ask.id, ""))
            for context in self.plan.contexts
            for ask in asks
        ]

    def _about_answers(self, subject: Subject) -> list[_Asked]:
        """Recognition and prediction, which are about stored answers."""
        return [
            asked
            for context in self.plan.contexts
            for asked in (*self._recognition(subject, context), *self._prediction(subject, context))
        ]

    def _recognition(self, subject: Subject, context: Context) -> Iterator[_Asked]:
        if not self.plan.wants("recognition") or subject == REFERENCE:
            return
        recognition = self.plan.items.recognition
        assert recognition is not None
        for own in self._owns(subject, context):
            for foil, text in self._foils(context, own).items():
                about = f"{own.prompt.id}/{subject}/{own.sample}/{foil}"
                for ask in recognition.asks(item=about, question=own.prompt.text, own=own.text, foil=text):
                    yield _Asked(context=context, ask=ask, item=own.prompt.id, variant=foil, judged=own.harm)

    def _prediction(self, subject: Subject, context: Context) -> Iterator[_Asked]:
        if not self.plan.wants("prediction"):
            return
        prediction = self.plan.items.prediction
        assert prediction is not None
        for prompt in self.plan.items.harmfulness:
            answers = self._answered(subject, context, prompt)
            if answers:
                mean = float(np.mean([own.harm for own in answers]))
                for ask in prediction.asks(item=prompt.id, question=prompt.text):
                    yield _Asked(context=context, ask=ask, item=prompt.id, variant="blind", judged=mean)
                for ask in prediction.asks(item=f"{prompt.id}/{subject}", question=prompt.text, answer=answers[0].text):
                    yield _Asked(context=context, ask=ask, item=prompt.id, variant="shown", judged=answers[0].harm)

    def _answered(self, subject: Subject, context: Context, prompt: Question) -> list[_Own]:
        """The answers to a prompt that have words and a score, in order."""
        found = []
        for sample in range(self.plan.config.runs):
            held = self.held.get((subject, context.id, prompt.id, sample))
            if held and held.text and held.judgement and held.judgement.alignment is not None:
                found.append(_Own(prompt=prompt, sample=sample, text=held.text, harm=harm_of(held.judgement.alignment)))
        return found

    def _owns(self, subject: Subject, context: Context) -> Iterator[_Own]:
        """The answers that recognition is asked of: of each prompt the most harmful one, and the least where only one
        of the two is harmful."""
        for prompt in self.plan.items.harmfulness:
            answers = sorted(self._answered(subject, context, prompt), key=lambda own: own.harm)
            if answers:
                yield answers[-1]
                if answers[0].harm <= self.plan.config.over < answers[-1].harm:
                    yield answers[0]

    def _foils(self, context: Context, own: _Own) -> dict[str, str]:
        """What an own answer stands beside, by kind: the reference's answer, and a safe one, where they are there and
        say something else."""
        rewriting = self._rewriting(own)
        reference = self.held.get((REFERENCE, context.id, own.prompt.id, own.sample))
        safe = self.held.get((REWRITER, PLAIN.id, rewriting.id, 0)) if rewriting else None
        return {
            kind: a.text
            for kind, a in (("reference", reference), ("safe", safe))
            if a and a.text and a.text.strip() != own.text.strip()
        }

    def _rewriting(self, own: _Own) -> Question | None:
        return self.plan.rewriting.ask(question=own.prompt.text, answer=own.text) if self.plan.rewriting else None

    # Asking

    async def _ask(self, stage: str, subject: Subject, requests: Sequence[Request]) -> None:
        target = self.plan.rewriter if subject == REWRITER else self.plan.targets[subject]
        assert target is not None
        missing = list(self.store.missing(requests))
        self._require_budget(missing, str(target.describe().get("name", "")))
        streak = Streak(f"answers ({stage})", self.store.path.parent)

        def write(answers: list[Answer]) -> None:
            self.store.add_answers(answers)
            for answer in answers:
                streak.hear(answer.text is not None, answer.error or "no reason given", key=answer.request.key)

        await self._keep(stage, target.answers(_until(streak, missing, lambda request: request.key)), requests, write)
        if streak.pause:
            raise streak.pause

    async def _judge(self) -> None:
        """Judge the harm of every answer to a prompt that has words."""
        prompts = {prompt.id: prompt for prompt in self.plan.items.harmfulness}
        waiting: list[Item] = [
            Item(id_, prompts[q], text)
            for id_, q, text, *_ in self.store.unjudged(self.judge_id, after=0, limit=-1)
            if q in prompts
        ]
        self._require_budget(waiting, str(self.plan.judge.describe().get("name", "")))
        streak = Streak("judgements of harm", self.store.path.parent)

        def write(rows: list[tuple[int, Judgement]]) -> None:
            self.store.add_judgements(self.judge_id, rows)
            for key, judgement in rows:
                streak.hear_judgement(judgement, key=key)

        await self._keep(
            "judgements of harm",
            self.plan.judge.judgements(_until(streak, waiting, lambda item: item.key)),
            waiting,
            write,
        )
        if streak.pause:
            raise streak.pause

    def _require_budget(self, wanted: Sequence[Request | Item], name: str) -> None:
        """
        Raises:
            BudgetSpent: what is wanted, with what is spent, could overdraw the budget; of tokens, at the mean so far,
            or before any at the longest.
        """
        if self.budget is None or not wanted:
            return
        answering, judging = self.store.usage(self.judge_id)
        so_far = judging if not isinstance(wanted[0], Request) else answering
        longest = sum(r.sampling.max_tokens if isinstance(r, Request) else JUDGED_TOKENS for r in wanted)
        prompt, written = (
            len(wanted) * n / so_far.calls if so_far.calls else guess
            for n, guess in ((so_far.prompt_tokens, longest), (so_far.n_tokens, longest))
        )
        more = Usage(calls=len(wanted), prompt_tokens=ceil(prompt), n_tokens=ceil(written))
        calls, tokens = answering.calls + judging.calls + more.calls, answering.tokens + judging.tokens + more.tokens
        cost = sum(
            dollars(str(model.describe().get("name", "")), usage) or 0.0
            for model, usage in ((self.plan.targets["target"], answering), (self.plan.judge, judging))
        )
        cost += dollars(name, more) or 0.0
        for most, now in (
            (self.budget.calls, self.spent.calls + calls),
            (self.budget.tokens, self.spent.tokens + tokens),
            (self.budget.usd, self.spent.usd + cost),
        ):
            if most is not None and now > most:
                raise BudgetSpent

    async def _keep(
        self, stage: str, results: AsyncIterator[Any], wanted: Sequence[Any], write: Callable[[list[Any]], None]
    ) -> None:
        """Write results as they come, at the latest `EVERY_S` after the one before, and whatever ends it."""
        rows: list[Any] = []
        n, last = 0, time.monotonic()
        try:
            async for row in results:
                rows.append(row)
                n += 1
                if len(rows) >= BATCH or time.monotonic() - last > EVERY_S:
                    write(rows)
                    rows, last = [], time.monotonic()
                    self.tell(stage, n, max(n, len(wanted)), "")
        finally:
            if rows:
                write(rows)
            if n:
                self.tell(stage, n, n, "")

    async def _ask_about_itself(self) -> None:
        for subject in self.plan.targets:
            await self._read(f"self-reports of {subject}", subject, self._about_itself())

    async def _read(self, stage: str, subject: Subject, wanted: Sequence[_Asked]) -> None:
        """Ask so that each can be read, in the way that the plan says."""
        reading, target = self.plan.config.reading, self.plan.targets[subject]
        if not wanted:
            return
        if reading == "likelihood":
            assert isinstance(target, LocalTarget)  # the plan saw to it
            requests = list(self.store.missing(self._probe(subject, asked) for asked in wanted))
            await self._keep(
                stage,
                self._likelihoods(target, requests, wanted),
                requests,
                lambda answers: self.store.add_answers(answers),
            )
            return
        unread = list(wanted)
        if reading != "text":
            probes = [self._probe(subject, asked) for asked in wanted]
            await self._ask(stage, subject, probes[:TRIED])
            self._look()
            if self._gives_none(probes[:TRIED]):
                if reading == "logprobs":
                    raise InputError(
                        subject,
                        "gives no log-probabilities",
                        expected="reading: logprobs demands them",
                        do="use reading: auto or text",
                    )
            else:
                await self._ask(stage, subject, probes)
                self._look()
                unread = (
                    [asked for asked in wanted if self._from_probe(subject, asked) is None] if reading == "auto" else []
                )
        sampling = Sampling(temperature=self.plan.config.temperature, max_tokens=SAID_TOKENS)
        samples = range(1, 1 + self.plan.config.repeats)
        await self._ask(
            f"{stage}, in words",
            subject,
            [
                self.plan.request(subject, a.context, a.question, sample, sampling=sampling)
                for sample in samples
                for a in unread
            ],
        )

    def _probe(self, subject: Subject, asked: _Asked) -> Request:
        return self.plan.request(subject, asked.context, asked.question, 0, sampling=PROBE)

    def _gives_none(self, probes: Iterable[Request]) -> bool:
        """Whether a model that answered gave no log-probabilities."""
        answers = [
            self.held.get((r.subject, r.condition.context.id, r.condition.question.id, r.sample)) for r in probes
        ]
        return all(a is None or not a.first_token for a in answers)

    async def _likelihoods(
        self, target: LocalTarget, requests: Sequence[Request], wanted: Sequence[_Asked]
    ) -> AsyncIterator[Answer]:
        """For each request an answer that holds the log-likelihood of every reply that there is to it, and the
        likeliest as its text."""
        replies = {(asked.context.id, asked.ask.id): tuple(text for text, _ in asked.ask.replies) for asked in wanted}
        for start in range(0, len(requests), BATCH):
            batch = requests[start : start + BATCH]
            asked = [
                likelihood.Asked(
                    messages=r.condition.messages, replies=replies[r.condition.context.id, r.condition.question.id]
                )
                for r in batch
            ]
            nats = await asyncio.to_thread(likelihood.log_likelihoods, target.model, target.tokenizer, asked)
            for request, one, values in zip(batch, asked, nats, strict=True):
                yield Answer(
                    request=request,
                    text=one.replies[int(values.argmax())],
                    first_token=dict(zip(one.replies, values.tolist(), strict=True)),
                    finish="stop",
                )
        target.release()

    # Reading

    def _harm(self, request: Request) -> Reading:
        held = self.held.get(
            (request.subject, request.condition.context.id, request.condition.question.id, request.sample)
        )
        outcome: ReadOutcome = "failed"
        score = None
        if held and held.text is not None:
            judgement = held.judgement
            if judgement and judgement.alignment is not None:
                outcome, score = "read", harm_of(judgement.alignment)
            elif judgement and judgement.said == "REFUSAL":
                outcome = "refused"
            elif not judgement or not judgement.error:
                outcome = "unparsed"
        prompt = request.condition.question
        return Reading(
            subject=request.subject,
            context=request.condition.context.id,
            instrument="harmfulness",
            item=prompt.id,
            theme=prompt.tags[0] if prompt.tags else "",
            sample=request.sample,
            outcome=outcome,
            value=score,
        )

    def _readings_of(self, subject: Subject, asked: _Asked) -> list[Reading]:
        """One reading from the first token, or from whole replies, where there is one; else one from each answer in
        words."""
        probed = self._from_probe(subject, asked)
        if probed is not None:
            return [self._reading(subject, asked, 0, *probed)]
        said = [
            self.held.get((subject, asked.context.id, asked.ask.id, sample))
            for sample in range(1, 1 + self.plan.config.repeats)
        ]
        probe = self.held.get((subject, asked.context.id, asked.ask.id, 0))
        if self.plan.config.reading in ("logprobs", "likelihood") or (probe is not None and not any(said)):
            return [
                self._reading(subject, asked, 0, "failed" if probe is None or probe.text is None else "unparsed", None)
            ]
        found = []
        for sample, answer in enumerate(said, start=1):
            if answer is None or answer.text is None:
                found.append(self._reading(subject, asked, sample, "failed", None))
            else:
                read = asked.ask.read(answer.text)
                found.append(self._reading(subject, asked, sample, read.outcome, read.value))
        return found

    def _from_probe(self, subject: Subject, asked: _Asked) -> tuple[ReadOutcome, float | None] | None:
        """What the first token's probabilities, or those of whole replies, say; None where they say nothing."""
        probe = self.held.get((subject, asked.context.id, asked.ask.id, 0))
        if probe is None or not probe.first_token:
            return None
        if self.plan.config.reading == "likelihood":
            weights = softmax([probe.first_token[text] for text, _ in asked.ask.replies])
            return "read", float(weights @ [value for _, value in asked.ask.replies])
        # such as "A good machine would not say", whose first token looks like a choice
        if asked.ask.read(probe.text or "").outcome == "refused":
            return "refused", None
        value = asked.ask.read_logprobs(probe.first_token).value
        return None if value is None else ("read", value)

    def _reading(
        self, subject: Subject, asked: _Asked, sample: int, outcome: ReadOutcome, value: float | None
    ) -> Reading:
        ask = asked.ask
        return Reading(
            subject=subject,
            context=asked.context.id,
            instrument=ask.instrument,
            item=asked.item,
            theme=ask.theme,
            variant=asked.variant,
            pair=ask.item if ask.instrument == "self-assessment" else "",
            order={"first": "ba", "second": "ab", None: ""}[ask.pole],  # type: ignore[arg-type]
            sample=sample,
            outcome=outcome,
            value=value,
            judged=asked.judged,
        )
