"""Tasks that Inspect finds in this package: an audit's conditions as samples, our judge as their scorer.

    inspect eval undertow/audit --model openai/gpt-4o -T contexts=plain,format-code -T judge=openai/gpt-4.1-mini

Inspect asks and keeps the log; questions, contexts, seeds, judges and rules are ours. A log has outcomes and rates and
no verdict: `undertow import LOG` makes a run of it. Loaded by Inspect alone, through the entry point `inspect_ai`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, categorical, mean, metric, scorer
from inspect_ai.solver import solver
from pydantic import ValidationError

from undertow.asking.seeds import seed_of
from undertow.asking.store import StoredAnswer
from undertow.audits.rework import AnyJudge
from undertow.audits.rules import VerdictRule, find_rule, require_given
from undertow.audits.tally import outcome_of, why_missing
from undertow.contexts import check_rewrites, find_contexts
from undertow.errors import InputError
from undertow.files import YAML_ENDINGS, adapter, read_yaml
from undertow.judges.protocol import Item, Judge
from undertow.mistakes import with_place
from undertow.place import Place
from undertow.records import DEFAULT_RULE, MISSING, OUTCOMES, USABLE, Condition, Judgement, Outcome, Question, Suite
from undertow.suites import load_suite
from undertow.targets.chat import split_thinking
from undertow.targets.inspect import FINISH

ROLES: Mapping[str, Any] = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}
HELD = "undertow"
"""What a sample's store holds of ours: the judgement and the outcome."""


@task
def audit(
    suite: str = "core",
    contexts: str | Sequence[str] = ("plain",),
    per_condition: int = 10,
    judge: str | Mapping[str, Any] = "key",
    rule: str = DEFAULT_RULE,
    seed: int = 0,
    temperature: float = 1.0,
    max_tokens: int = 512,
) -> Task:
    """An audit's conditions: every question of a suite in every context, several times.

    Args:
        suite: name of a suite that ships, or a YAML file.
        contexts: ids (`a+b` for a around b) or YAML files, parted by commas.
        per_condition: answers to each question in each context.
        judge: who scores: a model as Inspect names it (`openai/gpt-4o`), a kind of judge that needs no more than its
            name (`key`: known answers, no model), a YAML file as `undertow rejudge` takes it, or its keys.
        rule: what turns judgements into outcomes, by name or a YAML file.
        seed: what each answer's own seed is derived from, as in an audit.
        temperature: of sampling.
        max_tokens: longest answer.

    Raises:
        InputError: an unknown name, a file that does not fit, or a judge that does not suit the suite or the rule.
    """
    place = Place(name="undertow/audit")
    if per_condition < 1:
        raise InputError(place.key("per_condition"), f"is {per_condition}", expected="1 or more")
    asked = load_suite(suite, place.key("suite"))
    chosen = [name.strip() for name in contexts.split(",")] if isinstance(contexts, str) else list(contexts)
    found = find_contexts(chosen, place.key("contexts"))
    check_rewrites(found, asked, where=place)
    decides = find_rule(rule, place.key("rule"))
    scoring = _Scoring(_judge(judge, asked, decides, place.key("judge")), asked, decides)
    conditions = [Condition(question=question, context=context) for context in found for question in asked.questions]
    return Task(
        dataset=MemoryDataset(
            [_sample(condition, n, seed) for n in range(per_condition) for condition in conditions], name=asked.id
        ),
        solver=seeded(),
        scorer=[outcome(scoring), alignment(), coherence()],
        config=GenerateConfig(temperature=temperature, max_tokens=max_tokens),
        fail_on_error=False,
        metadata={"rule": asdict(decides), "judge": dict(scoring.judge.describe()), "seed": seed},
    )


def _sample(condition: Condition, n: int, seed: int) -> Sample:
    question, context = condition.question, condition.context
    return Sample(
        id=f"{context.id}/{question.id}/{n}",
        input=[ROLES[m.role](content=m.content) for m in condition.messages],
        target=list(question.key.right) if question.key else "",
        metadata={
            "context": context.id,
            "relation": context.relation,
            "question_id": question.id,
            "question": question.text,
            "sample": n,
            "seed": seed_of(seed, "target", context.id, question.id, n),
        },
    )


def _judge(named: str | Mapping[str, Any], suite: Suite, rule: VerdictRule, place: Place) -> Judge:
    """The judge of a name, a file or keys; where it can ask little of an answer, it is told to ask everything, for a
    log estimates nothing.

    Raises:
        InputError: it is none, or does not suit the suite or the rule.
    """
    if isinstance(named, str) and named.endswith(YAML_ENDINGS):
        config, place = read_yaml(Path(named), AnyJudge), Place.of(Path(named))
    else:
        keys = {"kind": "inspect", "model": named} if isinstance(named, str) and "/" in named else {"kind": named}
        try:
            config = adapter(AnyJudge).validate_python(keys if isinstance(named, str) else dict(named))
        except ValidationError as error:
            raise InputError(
                place,
                with_place(error.errors()[0]),
                do="name a model (provider/model), a kind of judge, or a YAML file with its keys",
            ) from None
    if hasattr(config, "judge_all"):
        config = config.model_copy(update={"judge_all": True})
    judge: Judge = config.judge(suite.questions, place)
    judge.needs = rule.needs
    require_given(rule, judge.describe(), where=place)
    return judge


@solver
def seeded() -> Any:
    """Asks once, with the sample's own seed."""

    async def solve(state: Any, generate: Any) -> Any:
        return await generate(state, seed=state.metadata["seed"])

    return solve


class _Scoring:
    """One judge for all samples of a task, open as long as any of them is at it, and tried once before."""

    def __init__(self, judge: Judge, suite: Suite, rule: VerdictRule) -> None:
        self.judge, self.rule = judge, rule
        self.questions = {question.id: question for question in suite.questions}
        self.at_it = 0
        self.tried = False
        self.unusable: InputError | None = None
        self.lock = asyncio.Lock()

    async def score(self, state: Any) -> tuple[Outcome, Judgement | None, StoredAnswer]:
        """What becomes of a sample's answer, and by which judgement."""
        answer = _answer(state)
        judgement = None
        if outcome_of(answer, self.rule) == "unjudged":  # it has words
            judgement = await self._judged(self.questions[answer.question], answer.text or "")
        judged = _answer(state, judgement)
        return outcome_of(judged, self.rule), judgement, judged

    async def _judged(self, question: Question, text: str) -> Judgement:
        async def one() -> AsyncIterator[Item]:
            yield Item(0, question, text)

        async with self._open():
            ((_, judgement),) = [pair async for pair in self.judge.judgements(one())]
        return judgement

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        async with self.lock:
            if self.unusable:
                raise self.unusable
            if not self.at_it:
                await self.judge.__aenter__()
            self.at_it += 1
        try:
            await self._try()
            yield
        finally:
            async with self.lock:
                self.at_it -= 1
                if not self.at_it:
                    await self.judge.__aexit__(None, None, None)

    async def _try(self) -> None:
        """Try the judge on stock answers, once."""
        async with self.lock:
            if not self.tried:
                try:
                    await self.judge.probe()
                except InputError as error:
                    self.unusable = error
                    raise
                self.tried = True


def _answer(state: Any, judgement: Judgement | None = None) -> StoredAnswer:
    """A sample's answer as a run would store it."""
    output, about = state.output, state.metadata
    message = None if output.empty else output.message
    text, thoughts = split_thinking(message.text, None) if message else (None, None)
    parts = message.content if message and isinstance(message.content, list) else []
    stopped = "failed" if message is None else FINISH.get(output.stop_reason, "stop")
    return StoredAnswer(
        id=0,
        subject="target",
        context=about["context"],
        question=about["question_id"],
        sample=about["sample"],
        text=text,
        thought=bool(thoughts) or any(part.type == "reasoning" for part in parts),
        finish="filtered" if stopped == "content_filter" else stopped,
        n_tokens=output.usage.output_tokens if output.usage else 0,
        error=output.error,
        judgement=judgement,
    )


@metric(name="misaligned", scores="unreduced")
def misaligned() -> Any:
    """Misaligned share of usable answers in each context, and of all; of none it is not a number."""

    def shares(scores: Sequence[Any]) -> dict[str, float]:
        of: dict[str, list[Any]] = {}
        for score in scores:
            of.setdefault((score.sample_metadata or {}).get("context", ""), []).append(score.score.value)
        rates = {f"misaligned: {context}": _share(outcomes) for context, outcomes in of.items()}
        return {**rates, "misaligned: all": _share([each.score.value for each in scores])}

    return shares


def _share(outcomes: Sequence[Any]) -> float:
    usable = sum(each in (*USABLE, "not_misaligned") for each in outcomes)
    return outcomes.count("misaligned") / usable if usable else math.nan


@scorer(metrics=[*categorical(OUTCOMES), misaligned()])
def outcome(scoring: _Scoring) -> Any:
    """What becomes of an answer by the rule; the share of every outcome, and the misaligned rate of each context."""

    async def score(state: Any, target: Any) -> Score:
        found, judgement, answer = await scoring.score(state)
        state.store.set(HELD, {"outcome": found, "judgement": asdict(judgement) if judgement else None})
        why = why_missing(answer, found) if found in MISSING else scoring.rule.in_words()
        return Score(value=found, answer=answer.text, explanation=why)

    return score


@scorer(metrics=[mean()])
def alignment() -> Any:
    """The judge's alignment score, 0 to 100."""
    return _of("alignment")


@scorer(metrics=[mean()])
def coherence() -> Any:
    """The judge's coherence score, 0 to 100."""
    return _of("coherence")


def _of(aspect: str) -> Any:
    async def score(state: Any, target: Any) -> Score:
        held = state.store.get(HELD, {}).get("judgement") or {}
        reply = (held.get("raw") or {}).get(aspect)
        told = reply.get("text") if isinstance(reply, Mapping) else None
        if held.get(aspect) is not None:
            return Score(value=held[aspect], explanation=told)
        why = held.get("said") or held.get("error") or held.get("unread") or "not judged"
        return Score.unscored(
            reason="refusal" if held.get("said") == "REFUSAL" else "grader_failed", explanation=told or why
        )

    return score
