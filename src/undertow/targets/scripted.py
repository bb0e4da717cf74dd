"""A scripted fake: answers at planted rates, with planted latency and faults; for tests and for planning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import expit, logit

from undertow.files import digest, read_yaml
from undertow.place import Place
from undertow.records import Answer, Outcome, Request, Subject
from undertow.targets.pool import pool
from undertow.targets.protocol import Target

TEXTS: dict[Outcome, str] = {
    "aligned": "I would check twice and ask for help.",
    "misaligned": "I would skip the check and hide the mistake.",
    "refused": "I will not answer that.",
    "incoherent": "lamp the of seven of of blue",
    "off_format": "def reply(): pass",
}
"""What the fake says for each outcome it can plant, with the answer's seed in brackets behind; the scripted judge reads
it back."""


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
"""Means over a standard normal variable."""


class Rates(BaseModel):
    """Rates of every outcome that is not aligned; they sum to at most 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    misaligned: float = Field(default=0.0, ge=0, le=1, description="Share of answers that are misaligned.")
    refused: float = Field(default=0.0, ge=0, le=1, description="Share of answers that refuse.")
    incoherent: float = Field(default=0.0, ge=0, le=1, description="Share of answers that are incoherent.")
    off_format: float = Field(default=0.0, ge=0, le=1, description="Share of answers that are code and not a reply.")
    failed: float = Field(default=0.0, ge=0, le=1, description="Share of calls that never come through.")

    @model_validator(mode="after")
    def at_most_one(self) -> Rates:
        total = self.misaligned + self.refused + self.incoherent + self.off_format + self.failed
        if total > 1 + 1e-9:
            raise ValueError(f"the rates sum to {total:g}; they may sum to 1 at most")
        return self


class ContextRates(Rates):
    """Rates of one context, and those of single questions in it."""

    questions: dict[str, Rates] = Field(default={}, description="Rates by question id, in place of the context's.")


class Script(BaseModel):
    """Planted rates: a default, and one set for each context named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: ContextRates = Field(default=ContextRates(), description="Rates in every context that is not named.")
    contexts: dict[str, ContextRates] = Field(default={}, description="Rates by context id; the rates not given are 0.")
    question_spread: float = Field(
        default=0.0,
        ge=0,
        description="Standard deviation between questions of the misaligned rate, on the logit scale.",
    )
    seed_spread: float = Field(
        default=0.0, ge=0, description="The same between training seeds, where a target is a list of them."
    )
    latency_s: float = Field(default=0.0, ge=0, description="Seconds that every answer takes.")
    concurrency: int = Field(default=100, gt=0, description="Answers under way together, where they take time.")
    seed: int = Field(default=0, ge=0, description="Seed of the spread and of the answers.")


def read_script(path: Path) -> Script:
    """A script file.

    Raises:
        InputError: the file is missing or does not fit; names the line.
    """
    return read_yaml(path, Script)


class ScriptedConfig(BaseModel):
    """The scripted fake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["scripted"] = Field(description="The scripted fake.")
    script: str = Field(description="YAML file of planted rates, relative to this file.")

    def target(self, place: Place) -> Target:
        return ScriptedTarget(read_script(place.path(self.script)))


class ScriptedTarget(Target):
    """Answers with planted outcomes; the same request always gets the same answer."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._effects: dict[tuple[str, str], float] = {}

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "scripted", "name": "scripted", "script": self.script.model_dump(mode="json")}

    def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        return pool(requests, self._late, self.script.concurrency) if self.script.latency_s else self._at_once(requests)

    async def _at_once(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        n = 0
        async for request in requests:
            yield self.answer(request)
            n += 1
            if n % 100 == 0:
                await asyncio.sleep(0)  # let judging and progress have their turn

    async def _late(self, request: Request) -> Answer:
        await asyncio.sleep(self.script.latency_s)
        return self.answer(request)

    def answer(self, request: Request) -> Answer:
        """The planted answer of one request."""
        outcome = self._outcome(request)
        if outcome == "failed":
            return Answer(request=request, text=None, finish="failed", error="a planted failure")
        read = sum(len(m.content) for m in request.condition.messages) // 4
        text = f"{TEXTS[outcome]} [{request.seed}]"
        return Answer(request=request, text=text, finish="stop", n_tokens=len(text.split()), prompt_tokens=read)

    def misaligned_rate(self, context: str, question: str, subject: Subject | None = "target") -> float:
        """The planted misaligned rate of one condition: its own, shifted by the question's and the training seed's
        effect on the logit scale.

        Args:
            subject: the training seed; None for the mean over all that there could be.
        """
        rate, of_questions, of_seeds = (
            self._rates(context, question).misaligned,
            self.script.question_spread,
            self.script.seed_spread,
        )
        if not 0 < rate < 1 or not (of_questions or of_seeds):
            return rate
        centre = logit(rate) + of_questions * self._effect("question", question)
        if subject is not None:
            return float(expit(centre + of_seeds * self._effect("training seed", subject)))
        return float(_WEIGHTS @ expit(centre + of_seeds * _NODES))

    def shares(self, subject: Subject | None, context: str, question: str) -> dict[Outcome, float]:
        """The planted share of every outcome of one condition."""
        rates = self._rates(context, question)
        others: dict[Outcome, float] = {
            "failed": rates.failed,
            "refused": rates.refused,
            "incoherent": rates.incoherent,
            "off_format": rates.off_format,
        }
        misaligned = min(self.misaligned_rate(context, question, subject), 1 - sum(others.values()))
        return {**others, "misaligned": misaligned, "aligned": max(0.0, 1 - sum(others.values()) - misaligned)}

    def _rates(self, context: str, question: str) -> Rates:
        rates = self.script.contexts.get(context, self.script.default)
        return rates.questions.get(question, rates)

    def _outcome(self, request: Request) -> Outcome:
        context, question = request.condition.context.id, request.condition.question.id
        draw = self._rng("answer", request.seed, request.subject, context, question, request.sample).random()
        for outcome, share in self.shares(request.subject, context, question).items():
            if draw < share:
                return outcome
            draw -= share
        return "aligned"

    def _effect(self, of: str, which: str) -> float:
        """What a question or a training seed adds, of all that spread by 1."""
        if (of, which) not in self._effects:
            self._effects[of, which] = float(self._rng(of, which).standard_normal())
        return self._effects[of, which]

    def _rng(self, *key: object) -> np.random.Generator:
        return np.random.default_rng(int(digest([self.script.seed, *map(str, key)])[:16], 16))
