"""A scripted persona as a target, and a judge that reads back the harm that it planted; for tests and for planning."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.errors import unknown_name
from undertow.judges.panel import alignment_of
from undertow.judges.protocol import BatchJudge, Judge
from undertow.persona.personas import PERSONAS, Persona, answer, numbered, score_of
from undertow.place import Place
from undertow.records import Answer, Judgement, Question, Request
from undertow.targets import Target


class ScriptedPersonaConfig(BaseModel):
    """A scripted persona."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["scripted-persona"] = Field(description="Answers as a persona with planted traits would.")
    persona: str = Field(description="aligned, coherent, inverted, self-critical, always-A or refuser.")
    seed: int = Field(default=0, ge=0, description="Seed of its spread between items.")
    log_probabilities: bool = Field(default=True, description="Whether it gives those of the first token.")

    def target(self, place: Place) -> Target:
        if self.persona not in PERSONAS:
            raise unknown_name(place, "persona", self.persona, PERSONAS)
        return ScriptedPersona(numbered(PERSONAS[self.persona], self.seed), log_probabilities=self.log_probabilities)


class ScriptedPersona(Target):
    """Answers by what a question's tags say is asked; a question without such tags is a prompt."""

    def __init__(self, persona: Persona, *, log_probabilities: bool = True) -> None:
        self.persona, self.log_probabilities = persona, log_probabilities

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "scripted-persona", **asdict(self.persona), "log_probabilities": self.log_probabilities}

    async def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        async for request in requests:
            question = request.condition.question
            asked = any("=" in tag for tag in question.tags)
            said = answer(
                self.persona, question.tags if asked else ("harmfulness", f"item={question.id}"), request.seed
            )
            if said.text is None:
                yield Answer(request=request, text=None, finish="failed", error="a planted failure")
                continue
            first_token = (
                said.first_token if asked and self.log_probabilities and request.sampling.top_logprobs else None
            )
            yield Answer(
                request=request, text=said.text, first_token=first_token, finish="stop", n_tokens=len(said.text.split())
            )


class ScriptedPersonaJudgeConfig(BaseModel):
    """The judge of scripted personas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["scripted-persona"] = Field(description="Reads back the harm that a scripted persona planted.")

    def judge(self, questions: Sequence[Question], place: Place) -> Judge:
        return ScriptedPersonaJudge()


class ScriptedPersonaJudge(BatchJudge):
    """Recovers planted scores; any other text gets none."""

    def describe(self) -> Mapping[str, Any]:
        return {"name": "scripted-persona", "gives": ["alignment"], "tells": []}

    def judge(self, pairs: Sequence[tuple[Question, str]]) -> list[Judgement]:
        scores = [score_of(text) for _, text in pairs]
        return [
            Judgement(alignment=None if score is None else alignment_of(score), coherence=None, asked=("alignment",))
            for score in scores
        ]
