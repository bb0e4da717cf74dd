"""Models that are called one chat at a time, over whatever carries the call; targets and judges both do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Protocol, Self, TypeVar

from undertow.errors import InputError
from undertow.records import Answer, Request, Sampling
from undertow.targets.pool import pool
from undertow.targets.protocol import Target

T = TypeVar("T")

DIGITS = 8
"""Last tokens with a digit in them whose log-probabilities are kept: a number and its scale, digit by digit."""


class Token(NamedTuple):
    """One token of a reply."""

    text: str
    """As it was written."""
    candidates: Mapping[str, float]
    """Tokens that could have stood in its place, and their log-probabilities (nats)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a chat call gave."""

    text: str
    reasoning: str | None
    finish: str
    prompt_tokens: int
    tokens: int
    written: tuple[Token, ...] = ()
    """Its first token and those with a digit in them, in order, where the server gave log-probabilities."""

    @property
    def first_token(self) -> dict[str, float] | None:
        """Log-probabilities of the first token's candidates, where the server gave them."""
        return dict(self.written[0].candidates) if self.written else None


def to_keep(tokens: Sequence[T], text: Callable[[T], str]) -> list[T]:
    """The first token of a reply and those with a digit in them: its number is among these, be there a thought before it."""
    digits = [token for token in tokens[1:] if any(map(str.isdigit, text(token)))]
    return [*tokens[:1], *digits[-DIGITS:]]


class CallFailed(Exception):
    """A call that never came through; its text says why, without secrets."""


class LogprobsRefused(CallFailed):
    """A server that refused a call because it asked for log-probabilities, or for so many; the same call with fewer or none may come through."""


HELLO = "Which day comes after Monday? Say it in one short sentence."
"""What a model is asked before its first paid answer, to see whether it answers at all."""


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
            LogprobsRefused: it may come through with fewer log-probabilities.
            InputError: no such call can succeed, so the run should stop.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...


class ChatTarget(Target):
    """A target that answers through a caller."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.where = caller, getattr(caller, "where", "target")

    def describe(self) -> Mapping[str, Any]:
        return self.caller.describe()

    async def __aenter__(self) -> Self:
        await self.caller.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.caller.__aexit__(*error)

    def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        return pool(requests, self._answer, self.caller.concurrency)

    async def probe(self, sampling: Sampling) -> None:
        try:
            reply = await self.caller.chat([{"role": "user", "content": HELLO}], max_tokens=sampling.max_tokens, temperature=sampling.temperature, seed=0)
        except CallFailed as error:
            raise InputError(self.where, f"did not answer ({error})", do="check the endpoint; nothing else was asked") from None
        text, reasoning = split_thinking(reply.text, reply.reasoning)
        if text.strip():
            return
        if reply.finish == "length":
            thought = "thought" if reasoning else "wrote"
            raise InputError(self.where, f"{thought} until its {sampling.max_tokens} tokens were used up, and said nothing", do="raise samples: {max_tokens}")
        raise InputError(self.where, f"answered a plain question with nothing (finish reason {reply.finish!r})", do="check the endpoint; nothing else was asked")

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
