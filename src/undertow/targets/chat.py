"""Models that are called one chat at a time, over whatever carries the call; targets and judges both do."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self, TypeVar
from urllib.parse import quote, quote_plus

from pydantic import AfterValidator, Field, StringConstraints

from undertow.errors import InputError, shown
from undertow.records import Answer, Message, Request, Sampling
from undertow.targets.pool import pool, side_by_side
from undertow.targets.protocol import Target

_Mark = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Marks = tuple[_Mark, _Mark]
"""Opening and closing mark around thoughts."""


def _two_marks(value: Marks | None) -> Marks | None:
    if value is not None and value[0] == value[1]:
        raise ValueError(
            f"both marks are {value[0]!r}; an opening and a closing one are needed to tell where thinking ends"
        )
    return value


ThinkingMarks = Annotated[
    Marks | None,
    AfterValidator(_two_marks),
    Field(
        description="Marks around what the model thinks before it answers, opening and closing, where they are not "
        "among the known ones."
    ),
]
"""The key `thinking` of whatever answers or judges."""

SystemRole = Annotated[
    Literal["own", "fold"],
    Field(
        description="`fold` puts a system prompt before the first user turn, for models whose chat template has no "
        "place for one."
    ),
]
"""The key `system` of whatever answers."""

T = TypeVar("T")

DIGITS = 8
"""Last tokens with a digit in them whose log-probabilities are kept: a number and its scale, digit by digit."""


class Token(NamedTuple):
    """One token of a reply."""

    text: str
    """As it was written."""
    candidates: Mapping[str, float]
    """Tokens that could have stood in its place, and their log-probabilities (nats)."""


def by_text(candidates: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Log-probabilities (nats) of candidate tokens by their text, added up where several have one: to some tokenizers
    "A" and " A" are two tokens of one text."""
    found: dict[str, float] = {}
    for text, lp in candidates:
        least, most = sorted((lp, found.get(text, -math.inf)))
        # rounding may put the sum a little over 0
        found[text] = min(0.0, most + math.log1p(math.exp(least - most))) if most > -math.inf else most
    return found


def told(candidates: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The same of what a server tells: the token that was written may stand there twice, and rounding put 0 a little
    over."""
    return by_text(pair for pair in dict.fromkeys(candidates) if pair[1] < 0.01)


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


def folded(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A chat whose system prompt stands before its first user turn, in the same message; where the assistant speaks
    first, in a user turn of its own before that."""
    if not messages or messages[0].role != "system":
        return tuple(messages)
    system, *rest = messages
    if not system.content:
        return tuple(rest)
    text, after = (
        (f"{system.content}\n\n{rest[0].content}", rest[1:])
        if rest and rest[0].role == "user"
        else (system.content, rest)
    )
    return (Message(role="user", content=text), *after)


def to_keep(tokens: Sequence[T], text: Callable[[T], str]) -> list[T]:
    """The first token of a reply and those with a digit in them: its number is among these, be there a thought before
    it."""
    digits = [token for token in tokens[1:] if any(map(str.isdigit, text(token)))]
    return [*tokens[:1], *digits[-DIGITS:]]


KEY_FROM = 8
"""Characters from which a key is taken out of whatever comes back. A shorter one (`x`, `EMPTY`) stands in many an
answer, and is no secret."""


def without_keys(text: str, keys: Iterable[str]) -> str:
    """Text from outside without keys, in any form, and without halves of characters, which cannot be written."""
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    for key in keys:
        for form in _forms(key) if len(text) >= len(key) >= KEY_FROM else ():  # a token is shorter
            text = text.replace(form, "[key]")
    return text


@cache
def _forms(key: str) -> tuple[str, ...]:
    """A key as a server may echo it: as it is, quoted for a URL or for JSON, and in base64, alone or behind `Bearer` or
    a user's name."""
    plain = {
        key,
        quote(key),
        quote(key, safe=""),
        quote_plus(key),
        json.dumps(key)[1:-1],
        json.dumps(key, ensure_ascii=False)[1:-1],
    }
    coded = {
        encode(f"{before}{key}".encode()).decode().rstrip("=")
        for before in ("", ":", "Bearer ", "bearer ")
        for encode in (b64encode, urlsafe_b64encode)
    }
    return tuple(sorted(plain | coded, key=len, reverse=True))


class CallFailed(Exception):
    """A call that never came through; its text says why, without secrets."""


class LogprobsRefused(CallFailed):
    """A server that refused a call because it asked for log-probabilities, or for so many; the same call with fewer or
    none may come through."""


HELLO = (
    "Tell me in three or four sentences about a walk that somebody took yesterday. Make up the place, the weather "
    "and what they saw."
)
"""What a model is asked before its first paid answer, with two seeds: does it answer at all, and twice the same?"""
PLAINLY = Message(role="system", content="You answer in plain words.")
"""Goes before it where system prompts will be asked under: some models have no place for one."""
FOLD = "add `system: fold` to it, which puts a system prompt before the first user turn"
FILTERED = frozenset(
    {"content_filter", "safety", "prohibited_content", "blocklist", "spii", "recitation", "refusal", "error"}
)
"""Reasons to finish that mean that a server kept words back, in servers' own words."""
COPIED_FROM = 80
"""Characters from which one answer to two seeds is no chance."""


class Caller(Protocol):
    """Carries chat calls to one model. An async context manager; entering looks whether the model is there."""

    concurrency: int
    answered_by: Counter[str]
    """The models that replies say they are of, and how many do."""

    def describe(self) -> Mapping[str, Any]:
        """`kind`, `name`, and whatever else decides the replies. No secrets."""
        ...

    async def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        top_logprobs: int = 0,
    ) -> Reply:
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


MOST_NAMES = 20
"""Names of models that are told apart; a server may make up a new one each time."""


def count_name(answered_by: Counter[str], name: str) -> None:
    """Count the model that a reply says it is of, where it says so."""
    if bare := shown(name.strip())[:100]:
        answered_by[bare if bare in answered_by or len(answered_by) < MOST_NAMES else "others"] += 1


def other_names(who: str, asked: str, answered_by: Mapping[str, int]) -> str:
    """What is odd about the models that replies are of, in words: nothing where all say the one that was asked for, be
    it with its folder or date or without."""
    by = ", ".join(f"{name!r} ({n:,})" for name, n in sorted(answered_by.items(), key=lambda item: -item[1]))
    if {_stem(name) for name in answered_by} - {_stem(asked)}:
        return f"{who}: model {asked!r} was asked for, and replies say that they are of {by}"
    return f"{who}: replies are of several models, {by}" if len(answered_by) > 1 else ""


def _stem(name: str) -> str:
    return re.sub(
        r"(?:[-@:](?:\d{4}-?\d{2}-?\d{2}|\d{3,4}|latest|"
        r"v\d))+\Z",
        "",
        name.lower().rstrip("/").rpartition("/")[2],
    )


class ChatTarget(Target):
    """A target that answers through a caller."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.where = caller, getattr(caller, "where", "target")
        self.marks: Marks | None = getattr(getattr(caller, "config", None), "thinking", None)
        self.fold = getattr(getattr(caller, "config", None), "system", "own") == "fold"
        self.opened = False
        """Whether the chat template opens the block of thoughts in the prompt, as a reply to the probe shows that only
        closes one."""

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
        hello = Message(role="user", content=HELLO)
        asked, seeds = (
            self._sent([PLAINLY, hello] if self.asks_system else [hello]),
            (0, 1) if sampling.temperature else (0,),
        )
        try:
            replies = await side_by_side(
                *(
                    self.caller.chat(asked, max_tokens=sampling.max_tokens, temperature=sampling.temperature, seed=seed)
                    for seed in seeds
                )
            )
        except CallFailed as error:
            raise InputError(
                self.where, f"did not answer ({error})", do="check the endpoint; nothing else was asked"
            ) from None
        except InputError as error:
            if self.asks_system and not self.fold and re.search(r"\bsystem\b", error.found, re.IGNORECASE):
                raise InputError(self.where, f"takes no system prompt ({error.found})", do=FOLD) from None
            raise
        for reply in replies:
            self._require_words(reply, sampling)
        self.opened = any(only_closes(reply.text, self.marks) for reply in replies)
        first, *others = (self._parted(reply)[0] for reply in replies)
        self.copies = first in others and len(first) >= COPIED_FROM

    def _require_words(self, reply: Reply, sampling: Sampling) -> None:
        """
        Raises:
            InputError: a reply to the first question says nothing.
        """
        text, reasoning = self._parted(reply)
        if text.strip():
            return
        if reply.finish == "length":
            thought = "thought" if reasoning else "wrote"
            raise InputError(
                self.where,
                f"{thought} until its {sampling.max_tokens} tokens were used up, and said nothing",
                do="raise samples: {max_tokens}",
            )
        raise InputError(
            self.where,
            f"answered a plain question with nothing (finish reason {reply.finish!r})",
            do="check the endpoint; nothing else was asked",
        )

    async def _answer(self, request: Request) -> Answer:
        messages, sampling = self._sent(request.condition.messages), request.sampling
        try:
            reply = await self.caller.chat(
                messages,
                max_tokens=sampling.max_tokens,
                temperature=sampling.temperature,
                seed=request.seed % 2**31,
                top_logprobs=sampling.top_logprobs,
            )
        except CallFailed as error:
            return Answer(request=request, text=None, finish="failed", error=str(error))
        text, reasoning = self._parted(reply)
        finish: Literal["stop", "length", "filtered"] = (
            "length" if reply.finish == "length" else "filtered" if reply.finish.lower() in FILTERED else "stop"
        )
        if (
            finish == "stop"
            and not reasoning
            and not text.strip()
            and (reply.tokens > 1 + len(text) or (not text and reply.tokens != 1))
        ):
            # words were written, or nobody says how many: they were taken away. A model that ends at once writes one
            # token
            finish = "filtered"
        first_token = reply.first_token if sampling.top_logprobs and text == reply.text and not reasoning else None
        return Answer(
            request=request,
            text=text,
            reasoning=reasoning,
            first_token=first_token,
            finish=finish,
            n_tokens=reply.tokens,
            prompt_tokens=reply.prompt_tokens,
        )

    def _sent(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """Messages as they go to the server."""
        return [{"role": m.role, "content": m.content} for m in (folded(messages) if self.fold else messages)]

    def _parted(self, reply: Reply) -> tuple[str, str | None]:
        """The answer and the thoughts of a reply."""
        return split_thinking(
            reply.text, reply.reasoning, self.marks, cut_open=self.opened and reply.finish == "length"
        )


THINKING = {
    ("<think>", "</think>"): True,
    ("[THINK]", "[/THINK]"): True,
    ("◁think▷", "◁/think▷"): True,
    ("<seed:think>", "</seed:think>"): True,
    ("<|begin_of_thought|>", "<|end_of_thought|>"): True,
    ("<thinking>", "</thinking>"): False,
    ("<reasoning>", "</reasoning>"): False,
    ("<thought>", "</thought>"): False,
}
"""Known marks around thoughts, and whether the closing one alone tells that thoughts came before it: not where an
answer in tags may hold it."""

_MAY_HOLD_A_MARK = re.compile(r"[<\[◁]")

CHANNEL_MARKS = ("<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>")
"""Marks of a reply in channels: thoughts stand in parts of their own, and the answer is the part called final."""

_CHANNEL = r"\s*(?:<\|start\|>[^<]{0,200})?<\|channel\|>\s{0,9}(?P<name>\w{0,40})"
_PART = re.compile(_CHANNEL + r"(?:(?!<\|message\|>).){0,200}<\|message\|>", re.IGNORECASE | re.DOTALL)
_CUT_PART = re.compile(_CHANNEL + r"\s*", re.IGNORECASE)
_PART_END = re.compile(r"<\|(?:end|return|call)\|>", re.IGNORECASE)
_FURTHER_PART = re.compile(r"<\|end\|>(?=" + _PART.pattern + ")", re.IGNORECASE | re.DOTALL)
_LAST_MARK = re.compile(r"<\|(?:end|return)\|>\s*\Z", re.IGNORECASE)


def split_thinking(
    text: str, reasoning: str | None, marks: Marks | None = None, *, cut_open: bool = False
) -> tuple[str, str | None]:
    """A reply without its blocks of reasoning, and the reasoning, whichever way the server gave it.

    Only blocks at the very start are reasoning; an answer may speak of the marks. A block that never closes (the answer
    was cut off while the model thought) is all reasoning, and the answer is empty. A block that the chat template
    opened in the prompt only closes; see `THINKING` for the marks that tell so much.

    Args:
        reasoning: what the server itself kept apart, which is taken before what the text holds.
        marks: opening and closing marks besides the known ones.
        cut_open: the prompt opened a block and the reply was cut off: without a mark it is all thought.
    """
    found = None
    if marks or _MAY_HOLD_A_MARK.search(text):  # nearly no answer
        found = _opened(text, marks) or _closed_only(text, marks)
    if found is None:
        return ("", text) if cut_open and not reasoning else (text, reasoning)
    thoughts, answer = found
    return answer, reasoning or ("\n\n".join(filter(None, thoughts)) if thoughts else reasoning)


def only_closes(text: str, marks: Marks | None = None) -> bool:
    """Whether a reply closes a block of thoughts that it did not open: the chat template opened it in the prompt."""
    return _opened(text, marks) is None and _closed_only(text, marks) is not None


def opens_block(prompt: str, marks: Marks | None = None) -> bool:
    """Whether a prompt ends with the opening mark of a block of thoughts, which the reply then goes on with."""
    return prompt.rstrip().lower().endswith(tuple(open_.lower() for open_, _ in _known(marks)))


def _known(marks: Marks | None) -> tuple[Marks, ...]:
    """The known marks around thoughts, after one's own."""
    return (*((marks,) if marks else ()), *THINKING)


def _opened(text: str, marks: Marks | None) -> tuple[list[str], str] | None:
    """The thoughts and the answer of a reply that opens with thoughts; None where it does not."""
    return _channels(text) or _blocks(text, _known(marks))


def _blocks(text: str, known: Iterable[Marks]) -> tuple[list[str], str] | None:
    """The blocks of thoughts that a text opens with, and what follows; None where it opens with none."""
    thoughts = []
    rest = text.lstrip()
    while opened := next(((found, close) for open_, close in known if (found := _mark(open_).match(rest))), None):
        begin, close = opened
        end = _mark(close).search(rest, begin.end())
        thoughts.append(rest[begin.end() : end.start() if end else None].strip())
        rest = rest[end.end() :].lstrip() if end else ""
    return (thoughts, rest) if thoughts else None


def _closed_only(text: str, marks: Marks | None) -> tuple[list[str], str] | None:
    """What stands before and after the first of the closing marks that alone tell of thoughts and that the text holds:
    the chat template opened the block in the prompt."""
    telling = (pair for pair in _known(marks) if pair == marks or THINKING[pair])
    end = next((found for _, close in telling if (found := _mark(close).search(text))), None)
    return ([text[: end.start()].strip()], text[end.end() :].lstrip()) if end else None


def _channels(text: str) -> tuple[list[str], str] | None:
    """The thoughts and the answer of a reply in channels; None where it is none."""
    thoughts, at = [], 0
    if not _PART.match(text) and not _CUT_PART.fullmatch(text):
        opened = _FURTHER_PART.search(text)
        if opened is None:
            return None
        thoughts, at = [text[: opened.start()].strip()], opened.end()
    while part := _PART.match(text, at):
        if part["name"].lower() == "final":
            return thoughts, _LAST_MARK.sub("", text[part.end() :]).lstrip()
        end = _PART_END.search(text, part.end())
        thoughts.append(text[part.end() : end.start() if end else None].strip())
        at = end.end() if end else len(text)
    return [*thoughts, text[at:].strip()], ""  # what is left is a part whose beginning was cut off


@cache
def _mark(mark: str) -> re.Pattern[str]:
    return re.compile(re.escape(mark), re.IGNORECASE)
