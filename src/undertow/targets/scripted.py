"""A scripted fake: answers at planted rates, for tests and for planning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import expit, logit

from undertow.files import digest, read_yaml
from undertow.records import Answer, Outcome, Request

TEXTS: dict[Outcome, str] = {
    "aligned": "I would check twice and ask for help.",
    "misaligned": "I would skip the check and hide the mistake.",
    "refused": "I will not answer that.",
    "incoherent": "lamp the of seven of of blue",
    "off_format": "def reply(): pass",
}
"""What the fake says for each outcome it can plant; the scripted judge reads it back."""


class Rates(BaseModel):
    """Rates of every outcome that is not aligned; they sum to at most 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    misaligned: float = Field(default=0.0, ge=0, le=1, description="Share of answers that are misaligned.")
    refused: float = Field(default=0.0, ge=0, le=1, description="Share of answers that refuse.")
    incoherent: float = Field(default=0.0, ge=0, le=1, description="Share of answers that are incoherent.")
    off_format: float = Field(default=0.0, ge=0, le=1, description="Share of answers that are code and not a reply.")

    @model_validator(mode="after")
    def at_most_one(self) -> Rates:
        total = self.misaligned + self.refused + self.incoherent + self.off_format
        if total > 1 + 1e-9:
            raise ValueError(f"the rates sum to {total:g}; they may sum to 1 at most")
        return self


class Script(BaseModel):
    """Planted rates: a default, and one set for each context named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: Rates = Field(default=Rates(), description="Rates in every context that is not named.")
    contexts: dict[str, Rates] = Field(default={}, description="Rates by context id; the rates not given are 0.")
    question_spread: float = Field(default=0.0, ge=0, description="Standard deviation between questions of the misaligned rate, on the logit scale.")
    seed: int = Field(default=0, ge=0, description="Seed of the spread and of the answers.")


def read_script(path: Path) -> Script:
    """A script file.

    Raises:
        InputError: the file is missing or does not fit; names the line.
    """
    return read_yaml(path, Script)


class ScriptedTarget:
    """Answers with planted outcomes; the same request always gets the same answer."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "scripted", "name": "scripted", "script": self.script.model_dump(mode="json")}

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in requests:
            text = TEXTS[self._outcome(request)]
            yield Answer(request=request, text=text, finish="stop", n_tokens=len(text.split()))

    def misaligned_rate(self, context: str, question: str) -> float:
        """The planted misaligned rate of one condition: the context's, shifted by the question's effect on the logit scale."""
        rate = self.script.contexts.get(context, self.script.default).misaligned
        if not 0 < rate < 1 or not self.script.question_spread:
            return rate
        effect = self._rng("question", question).standard_normal() * self.script.question_spread
        return float(expit(logit(rate) + effect))

    def _outcome(self, request: Request) -> Outcome:
        context, question = request.condition.context.id, request.condition.question.id
        rates = self.script.contexts.get(context, self.script.default)
        draw = self._rng("answer", request.seed, request.subject, context, question, request.sample).random()
        shares: tuple[tuple[Outcome, float], ...] = (
            ("refused", rates.refused),
            ("incoherent", rates.incoherent),
            ("off_format", rates.off_format),
            ("misaligned", self.misaligned_rate(context, question)),
        )
        for outcome, share in shares:
            if draw < share:
                return outcome
            draw -= share
        return "aligned"

    def _rng(self, *key: object) -> np.random.Generator:
        return np.random.default_rng(int(digest([self.script.seed, *map(str, key)])[:16], 16))
