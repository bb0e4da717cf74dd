"""Models that are called one chat at a time, over whatever carries the call; targets and judges both do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, Self

from undertow.records import Answer, Request
from undertow.targets.pool import pool
from undertow.targets.protocol import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a chat call gave."""

    text: str
    reasoning: str | None
    finish: str
    prompt_tokens: int
    tokens: int
    first_token: dict[str, float] | None
    """Log-probabilities of the first token's candidates, where the server gave them."""


class CallFailed(Exception):
    """A call that never came through; its text says why, without secrets."""


class Caller(Protocol):
    """Carries chat calls to one model. An async context manager; entering looks whether the model is there."""

    concurrency: int

    def describe(self) -> Mapping[str, Any]:
        """`kind`, `name`, and whatever else decides the replies. No secrets."""
        ...

    async def chat(self, messages: Sequence[Mapping[str, str]], *, max_tokens: int, temperature: float, seed: int, top_logprobs: int = 0) -> Reply:
        """One chat call.

        Args:
            top_logprobs: candidates of each token whose log-probabilities are asked for; 0 asks for none.

        Raises:
            CallFailed: it did not come through, however often it was tried.
            InputError: no such call can succeed, so the run should stop.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...


class ChatTarget(Target):
    """A target that answers through a caller."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def describe(self) -> Mapping[str, Any]:
        return self.caller.describe()

    async def __aenter__(self) -> Self:
        await self.caller.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.caller.__aexit__(*error)

    def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        return pool(requests, self._answer, self.caller.concurrency)

    async def _answer(self, request: Request) -> Answer:
        messages = [{"role": m.role, "content": m.content} for m in request.condition.messages]
        sampling = request.sampling
        try:
            reply = await self.caller.chat(messages, **asdict(sampling), seed=request.seed % 2**31)
        except CallFailed as error:
            return Answer(request=request, text=None, finish="failed", error=str(error))
        text, reasoning = split_thinking(reply.text, reply.reasoning)
        finish: Literal["stop", "length", "filtered"] = "length" if reply.finish == "length" else "filtered" if reply.finish == "content_filter" else "stop"
        first_token = reply.first_token if sampling.top_logprobs and text == reply.text and not reasoning else None
        return Answer(request=request, text=text, reasoning=reasoning, first_token=first_token, finish=finish, n_tokens=reply.tokens, prompt_tokens=reply.prompt_tokens)


_THINKING = re.compile(r"\A\s*<think>(.*?)</think>\s*", re.DOTALL)


def split_thinking(text: str, reasoning: str | None) -> tuple[str, str | None]:
    """A reply without its block of reasoning, and the reasoning, whichever way the server gave it.

    A block that never closes (the answer was cut off while the model thought) is all reasoning, and the answer is empty.
    """
    if found := _THINKING.match(text):
        return text[found.end() :], reasoning or found.group(1).strip()
    if text.lstrip().startswith("<think>"):
        return "", reasoning or text.lstrip().removeprefix("<think>").strip()
    if "</think>" in text:  # the chat template opened the block in the prompt
        inside, _, after = text.partition("</think>")
        return after.lstrip(), reasoning or inside.strip()
    return text, reasoning
