"""A panel whose model is a chat model on this machine."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count
from typing import Any, Literal, Self

from pydantic import Field

from undertow.judges.panel import Panel, PanelConfig
from undertow.judges.prompts import load_prompts
from undertow.judges.protocol import Judge
from undertow.place import Place
from undertow.records import PLAIN, Condition, Question, Request, Sampling
from undertow.targets.chat import Caller, CallFailed, Reply, Token
from undertow.targets.local import LocalConfig, LocalTarget
from undertow.targets.protocol import Target


class LocalJudgeConfig(LocalConfig, PanelConfig):
    """A chat model of this machine as a judge."""

    kind: Literal["local"] = Field(description="A chat model's directory on this machine.")
    rows: int = Field(default=32, gt=0, description="Prompts read together.")

    def judge(self, questions: Sequence[Question], place: Place) -> Judge:
        target = self.target(place)
        assert isinstance(target, LocalTarget)
        prompts = load_prompts(self.prompts, beside=place.folder)
        return Panel(LocalCaller(target, self.rows), self, prompts, where=place.key("judge"))


class LocalCaller(Caller):
    """Carries chat calls to a local target: those that come together are answered together."""

    def __init__(self, target: Target, rows: int) -> None:
        self.target, self.concurrency = target, rows
        self.answered_by: Counter[str] = Counter()
        self._n = count()
        self._requests: asyncio.Queue[Request | None] = asyncio.Queue()
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._answering: asyncio.Task[None] | None = None
        self._ended: Exception | None = None
        """What ended the target."""

    def describe(self) -> Mapping[str, Any]:
        return self.target.describe()

    async def __aenter__(self) -> Self:
        await self.target.__aenter__()
        self._answering = asyncio.create_task(self._answer())
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._answering is not None:
            await self._requests.put(None)
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)
            self._answering = None
        await self.target.__aexit__(*error)

    async def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        top_logprobs: int = 0,
    ) -> Reply:
        (prompt,) = messages  # a judge says all in one
        if self._ended is not None:
            raise self._ended
        n, reply = next(self._n), asyncio.get_running_loop().create_future()
        self._waiting[n] = reply
        question = Question(id="judge", text=prompt["content"])
        sampling = Sampling(temperature=temperature, max_tokens=max_tokens, top_logprobs=top_logprobs)
        condition = Condition(question=question, context=PLAIN)
        await self._requests.put(Request(subject="judge", condition=condition, sample=n, seed=seed, sampling=sampling))
        try:
            said: Reply = await reply
            return said
        finally:
            del self._waiting[n]

    async def _answer(self) -> None:
        """Hand every answer to whoever waits for it; what ends the target ends all of them."""
        try:
            async for answer in self.target.answers(self._asked()):
                waiting = self._waiting.get(answer.request.sample)
                if waiting is None or waiting.done():
                    continue
                if answer.text is None:
                    waiting.set_exception(CallFailed(answer.error or "no answer"))
                    continue
                first = answer.first_token
                waiting.set_result(
                    Reply(
                        text=answer.text,
                        reasoning=answer.reasoning,
                        finish=answer.finish,
                        prompt_tokens=0,
                        tokens=answer.n_tokens,
                        written=(Token(_first(answer.text, first), first),) if first else (),
                    )
                )
        except Exception as error:
            self._ended = error
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(error)

    async def _asked(self) -> AsyncIterator[Request]:
        while (request := await self._requests.get()) is not None:
            yield request


def _first(text: str, candidates: Mapping[str, float]) -> str:
    """The first token of a text: the longest candidate that opens it."""
    opening = [token for token in candidates if token.strip() and text.startswith(token.strip())]
    return max(opening, key=len) if opening else max(candidates, key=lambda token: candidates[token])
