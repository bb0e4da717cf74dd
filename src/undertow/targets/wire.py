"""Chat calls to OpenAI-compatible servers: keys, retries, rate limits, bounded concurrency.

Owns everything between a request body and a reply; endpoint targets and judges both speak through it. A key is read
from the environment when a request is sent and is scrubbed from whatever comes back.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from undertow.errors import InputError, unknown_name
from undertow.place import Place
from undertow.targets.chat import (
    KEY_FROM,
    Caller,
    CallFailed,
    ChatTarget,
    LogprobsRefused,
    Reply,
    SystemRole,
    ThinkingMarks,
    Token,
    count_name,
    to_keep,
    told,
    without_keys,
)
from undertow.targets.confidential import looks_like_a_key, without_secrets
from undertow.targets.limit import TimeLimit
from undertow.targets.protocol import Target

PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may pass when a call is sent again; all of 500 and above may."""


MOST_TOKENS = 10**9
"""Tokens of one call beyond which a server's count is not believed."""
MOST_BYTES = 8_000_000
"""Bytes of one reply, unpacked; a longer one is none."""
TOO_LARGE = 413
OF_A_CALL = frozenset({400, 403, TOO_LARGE, 422, 451})
"""Statuses by which a server may refuse one call for its words or its length, and take others."""
DROPPED = ("temperature", "seed", "top_logprobs", "logprobs")
"""Request fields that some models refuse, and go without."""
_BY_LIMIT = aiohttp.ClientTimeout(total=None)
"""Of calls that a `TimeLimit` ends."""
ELSEWHERE = frozenset({301, 302, 303, 307, 308})
"""Statuses that send a call to another place. None is followed: prompts and answers would go there, and its words would
be taken for the model's."""


class WireConfig(BaseModel):
    """A model behind an OpenAI-compatible server; the same keys for a target and for a judge."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str | tuple[str, ...] = Field(
        description="URL up to and with /v1; several spread the calls over servers."
    )
    model: str = Field(description="Name of the model, as the server knows it.")
    api_key_env: str | tuple[str, ...] | None = Field(
        default=None,
        description="Environment variable that holds the key; several spread the calls over keys. Left out: no key.",
    )
    concurrency: int = Field(
        default=32, gt=0, description="Calls in flight at most; lowered by itself while the server says 429."
    )
    token_limit: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="Field in which the server wants the longest answer."
    )
    extra: dict[str, Any] = Field(
        default={}, description="Request fields to add; null removes one that would be sent, such as seed."
    )
    check_model: bool = Field(
        default=True, description="Look for the model in the server's own list before the first call."
    )
    timeout_s: float = Field(default=120, gt=0, allow_inf_nan=False, description="Seconds that one call may take.")
    attempts: int = Field(default=6, gt=0, description="Times that a call is sent before it counts as failed.")
    backoff_s: float = Field(
        default=0.5,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that the first retry waits at most; doubles with each.",
    )
    thinking: ThinkingMarks = None

    @field_validator("base_url", "api_key_env")
    @classmethod
    def some(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if value is not None and not value:
            raise ValueError("is empty; name at least one, or leave the key out where there is none")
        return value

    @field_validator("base_url", "extra", mode="before")
    @classmethod
    def no_secrets(cls, value: Any) -> Any:
        do = "name the variable that holds a key in api_key_env"
        return without_secrets(value, do=do, always=isinstance(value, dict))

    @field_validator("api_key_env", mode="before")
    @classmethod
    def names_of_variables(cls, value: Any) -> Any:
        for name in value if isinstance(value, list | tuple) else (value,):
            if isinstance(name, str) and name and (not re.fullmatch(r"[A-Za-z_]\w*", name) or looks_like_a_key(name)):
                raise PydanticCustomError(
                    "secret",
                    "is no name of an environment variable; write the variable's name, such as OPENAI_API_KEY, and "
                    "never the key",
                )
        return value

    @field_validator("base_url")
    @classmethod
    def whole_urls(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for url in urls(value):
            if not re.match(r"https?://[^/]", url):
                raise ValueError(f"{url!r} is not a URL; write it with http:// or https:// and up to /v1")
        return value


def urls(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """One or several, as several."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


class EndpointConfig(WireConfig):
    """An OpenAI-compatible endpoint as a target."""

    kind: Literal["endpoint"] = Field(description="A model behind an OpenAI-compatible server.")
    system: SystemRole = "own"

    def target(self, place: Place) -> Target:
        return ChatTarget(Wire(self, where=place.key("target")))


@dataclass(slots=True)
class _Lane:
    """One URL with one key, and how fast it may be used."""

    url: str
    key_env: str | None
    proxy: str | None
    top: int
    limit: float
    in_flight: int = 0
    open_at: float = 0.0
    cut_at: float = -1e9


class Wire(Caller):
    """Calls to one model over HTTP."""

    def __init__(self, config: WireConfig, *, where: object = "endpoint") -> None:
        """
        Raises:
            InputError: a variable that should hold a key is not set.
        """
        self.config, self.where, self.concurrency = config, where, config.concurrency
        keys: tuple[str | None, ...] = urls(config.api_key_env) or (None,)
        for name in keys:
            if name is not None and not os.environ.get(name):
                raise InputError(
                    where,
                    f"environment variable {name} is not set",
                    expected="it should hold the API key",
                    do=f"export {name}=..., or drop api_key_env",
                )
        pairs = [(url.removesuffix("/"), key) for url in urls(config.base_url) for key in keys]
        share = max(1, -(-config.concurrency // len(pairs)))
        self._lanes = [_Lane(url=url, key_env=key, proxy=_proxy(url), top=share, limit=share) for url, key in pairs]
        self._key_envs = [name for name in dict.fromkeys(key for _, key in pairs) if name]
        short = [name for name in keys if name is not None and len(os.environ[name]) < KEY_FROM]
        self.notes = tuple(
            f"{where}: the key in {name} is shorter than {KEY_FROM} characters, so it is not looked for in what "
            "comes back"
            for name in short
        )
        self.answered_by: Counter[str] = Counter()
        self._turn = 0
        self._in_flight = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._limit = TimeLimit(config.timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._refused: InputError | None = None
        self._gives_logprobs = self._answered = False

    def describe(self) -> Mapping[str, Any]:
        thinking = {"thinking": list(self.config.thinking)} if self.config.thinking else {}
        system = {"system": "fold"} if getattr(self.config, "system", "own") == "fold" else {}
        # not where it is: a server may move between two sessions of a run
        return {"kind": "endpoint", "name": self.config.model, "extra": self.config.extra, **thinking, **system}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self.config.timeout_s)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)
        try:
            await self.check()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        self._limit.close()

    async def check(self) -> None:
        """Look before the first call: is the server there, is the key good, does it know the model?

        Raises:
            InputError: one of them is not so. A server without a list of models is taken at its word.
        """
        for lane in self._lanes:
            status, text = await self._get_models(lane)
            if status in (401, 403):
                raise self._refusal(status, text, lane)
            known = _model_names(self._scrub(text)) if status == 200 else set()
            if self.config.check_model and known and self.config.model not in known:
                raise self._unknown(lane, known)

    def _unknown(self, lane: _Lane, known: set[str]) -> InputError:
        """A server that does not list the model: some list it under a longer name, and take the short one too."""
        model, where = self.config.model, f"{self.where}: {lane.url}"
        longer = sorted(name for name in known if name == f"{model}:latest" or name.endswith(f"/{model}"))
        if longer:
            return InputError(
                where,
                f"lists model {model!r} as {longer[0]!r}",
                do=f"write model: {longer[0]}, or check_model: false to send the name as it is",
            )
        error = unknown_name(where, "model", model, known)
        return InputError(where, error.found, expected=error.expected, do="check_model: false sends the name as it is")

    async def _get_models(self, lane: _Lane) -> tuple[int, str]:
        """The server's list of models; a few tries, since one broken connection says little."""
        for attempt in range(3):
            await asyncio.sleep(attempt * self.config.backoff_s)
            try:
                async with self._http.get(
                    _at(lane.url, "models"), headers=self._headers(lane), proxy=lane.proxy, allow_redirects=False
                ) as response:
                    self._stay(response, lane)
                    with suppress(ValueError):  # no list that could be read is no list
                        return response.status, await _body(response)
                    return response.status, ""
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                said = _name(error)
        raise InputError(
            self.where, f"{lane.url} cannot be reached ({said})", do="check base_url, and that the server is up"
        )

    async def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        top_logprobs: int = 0,
    ) -> Reply:
        body = {
            "model": self.config.model,
            "messages": list(messages),
            self.config.token_limit: max_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        if top_logprobs:
            body |= {"logprobs": True, "top_logprobs": top_logprobs}
        body |= self.config.extra
        fields = {key: value for key, value in body.items() if value is not None}
        asks_logprobs = bool(fields.get("logprobs"))
        payload = json.dumps(fields).encode()
        failed = 0
        while True:
            if self._refused:
                raise self._refused
            lane = await self._take()
            wait = 0.0
            try:
                status, headers, text = await self._post(lane, payload)
                if status == 200:
                    reply = self._read(text)
                    self._answered = True
                    self._went_well(lane, headers, reply)
                    self._gives_logprobs |= bool(reply.written)
                    return reply
                said = f"HTTP {status}: {self._said(text)}"
                of_a_call = status in OF_A_CALL and not (status == 403 and _OF_THE_ACCOUNT.search(said))
                if of_a_call and (why := _of_this_call(status, text)):
                    if why == "filter":
                        return Reply(text="", reasoning=None, finish="content_filter", prompt_tokens=0, tokens=0)
                    raise CallFailed(said)
                if status == 402 or (status == 429 and _SPENT.search(text[:10_000])):
                    self._refused = self._refusal(402, text, lane)
                    raise self._refused
                if 400 <= status < 500 and status not in PASSING:
                    if asks_logprobs and status != 401 and ("logprob" in said.lower() or not self._gives_logprobs):
                        raise LogprobsRefused(said)  # whether they were the reason shows when the call is sent without
                    if self._answered and of_a_call:  # others like it were taken
                        raise CallFailed(said)
                    keys = await self._keys_wanted(fields, said, lane) if status == 400 else ""
                    self._refused = self._refusal(status, text, lane, keys)
                    raise self._refused
                if status == 429 or "retry-after" in headers:
                    wait = self._slow_down(lane, headers)
            except (aiohttp.ClientError, TimeoutError, ConnectionError, UnicodeDecodeError, ValueError) as error:
                said = self._scrub(f"{_name(error)}: {error}" if isinstance(error, ValueError) else _name(error))
            finally:
                self._give(lane)
            failed += 1
            if failed >= self.config.attempts:
                raise CallFailed(f"{said} (after {failed} attempts)")
            await asyncio.sleep(max(wait, random.uniform(0, min(30.0, self.config.backoff_s * 2 ** (failed - 1)))))

    async def _post(self, lane: _Lane, payload: bytes) -> tuple[int, Mapping[str, str], str]:
        """One call as it is: status, headers and text of the reply."""
        where = _at(lane.url, "chat/completions")
        how: dict[str, Any] = {"headers": self._headers(lane), "proxy": lane.proxy, "allow_redirects": False}
        with self._limit:
            async with self._http.post(where, data=payload, timeout=_BY_LIMIT, **how) as response:
                self._stay(response, lane)
                return response.status, response.headers, await _body(response)

    @property
    def _http(self) -> aiohttp.ClientSession:
        assert self._session is not None, "used outside `async with`"
        return self._session

    def _headers(self, lane: _Lane) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if lane.key_env:
            headers["Authorization"] = f"Bearer {os.environ[lane.key_env]}"
        return headers

    def _scrub(self, text: str) -> str:
        """Text from outside without keys."""
        return without_keys(text, self._keys())

    def _keys(self) -> list[str]:
        return [os.environ.get(name, "") for name in self._key_envs]

    def _said(self, text: str) -> str:
        """What a server says of an error, in one short line; cut only when no key is left in it."""
        return self._scrub(_message(text))[:200]

    async def _keys_wanted(self, fields: Mapping[str, Any], said: str, lane: _Lane) -> str:
        """The keys that make a server take a call which it refuses for its fields, found by doing as it says, field by
        field; empty where that does not help."""
        fields, token_limit, dropped = dict(fields), "", []
        for _ in range(len(DROPPED) + 1):
            if "max_completion_tokens" in said and "max_tokens" in fields:
                fields["max_completion_tokens"], token_limit = (
                    fields.pop("max_tokens"),
                    "token_limit: max_completion_tokens",
                )
            elif name := next((name for name in DROPPED if name in fields and re.search(rf"\b{name}\b", said)), None):
                del fields[name]
                dropped.append(f"{name}: null")
            else:
                return ""
            status, _, text = await self._post(lane, json.dumps(fields).encode())
            said = self._said(text)
            if status == 200:
                return ", ".join(
                    [token_limit] * bool(token_limit) + [f"extra: {{{', '.join(dropped)}}}"] * bool(dropped)
                )
        return ""

    def _refusal(self, status: int, text: str, lane: _Lane, keys: str = "") -> InputError:
        do = {
            400: f"write to it: {keys}" if keys else "check the request fields (extra, token_limit)",
            401: "check the key",
            402: "the account's money or quota is used up; what came is kept: raise it, then go on with --resume "
            "--retry-failed",
            403: "check the key",
            404: "check base_url and model" + ("" if "/v1" in lane.url else "; most servers want base_url up to /v1"),
        }.get(status, "check the endpoint")
        return InputError(self.where, f"{lane.url} refused the call with HTTP {status}: {self._said(text)}", do=do)

    def _stay(self, response: aiohttp.ClientResponse, lane: _Lane) -> None:
        """
        Raises:
            InputError: the server sends the call to another place.
        """
        if response.status in ELSEWHERE:
            there = self._scrub(response.headers.get("Location", "elsewhere"))[:200]
            found = f"{lane.url} sends the call to {there!r}"
            self._refused = InputError(
                self.where,
                found,
                expected="no call is sent on",
                do="write as base_url where it is to go, if that is yours",
            )
            raise self._refused

    def _read(self, text: str) -> Reply:
        """A reply's body; a ValueError says what is wrong with it."""
        try:
            body = json.loads(text)
            choice = body["choices"][0]
            message = choice["message"]
            content = _words(message.get("content")) or _words(message.get("refusal"))
            usage = body.get("usage") or {}
            prompt_tokens, tokens = _n_tokens(usage.get("prompt_tokens")), _n_tokens(usage.get("completion_tokens"))
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
            raise ValueError(f"the reply is not a chat completion: {self._scrub(text)[:80]!r}") from None
        keys = self._keys()
        count_name(self.answered_by, without_keys(str(body.get("model") or ""), keys))
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        shown, written = without_keys(content, keys), _written(choice.get("logprobs"), keys)
        if "[key]" in shown:
            written = written[:1]  # others may hold a part of the key each, which nothing would find
        return Reply(
            text=shown,
            reasoning=without_keys(reasoning, keys) if isinstance(reasoning, str) else None,
            finish=without_keys(str(choice.get("finish_reason") or "stop"), keys),
            prompt_tokens=prompt_tokens,
            tokens=tokens,
            written=tuple(written),
        )

    async def _take(self) -> _Lane:
        """The next lane with room, in turn; waits while there is none."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            opens = []
            # the lanes' shares are rounded up
            for _ in self._lanes if self._in_flight < self.config.concurrency else ():
                lane = self._lanes[self._turn % len(self._lanes)]
                self._turn += 1
                if lane.in_flight < max(1, int(lane.limit)):
                    if lane.open_at <= now:
                        lane.in_flight += 1
                        self._in_flight += 1
                        return lane
                    opens.append(lane.open_at)
            waiter = loop.create_future()
            self._waiters.append(waiter)  # until `_give` comes to it, who passes over those that wait no more
            with suppress(TimeoutError):
                await asyncio.wait_for(waiter, min(opens) - now) if opens else await waiter

    def _give(self, lane: _Lane) -> None:
        lane.in_flight -= 1
        self._in_flight -= 1
        room = max(1, int(lane.limit) - lane.in_flight)  # more than one where the limit has grown
        while self._waiters and room:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                room -= 1

    def _slow_down(self, lane: _Lane, headers: Mapping[str, str]) -> float:
        """After a 429: half the calls in flight, at most once a second, and none before the server's date. Returns the
        wait in seconds."""
        now = asyncio.get_running_loop().time()
        if now - lane.cut_at > 1:
            lane.limit, lane.cut_at = max(1.0, lane.limit / 2), now
        wait = seconds(headers.get("retry-after"), now=headers.get("date")) or 0.0
        lane.open_at = max(lane.open_at, now + wait)
        return wait

    def _went_well(self, lane: _Lane, headers: Mapping[str, str], reply: Reply) -> None:
        """Let one more call in flight after every `limit` that went well; stop before a budget that the headers
        announce is overdrawn."""
        lane.limit = min(float(lane.top), lane.limit + 1 / lane.limit)
        for kind, needed in (("requests", 1), ("tokens", reply.prompt_tokens + reply.tokens)):
            left = headers.get(f"x-ratelimit-remaining-{kind}")
            if left is not None and left.isdigit() and int(left) < needed:
                pause = seconds(headers.get(f"x-ratelimit-reset-{kind}")) or 1.0
                lane.open_at = max(lane.open_at, asyncio.get_running_loop().time() + pause)


def seconds(text: str | None, *, now: str | None = None) -> float | None:
    """A wait as servers write it (`2`, `0.5s`, `6m0s`, `20ms`, or a date) in seconds, at most 300; None where there is
    none.

    Args:
        now: the server's own date, which a date is held against; None: this machine's.
    """
    if text is not None and (then := _timestamp(text)) is not None:
        return min(max(0.0, then - (_timestamp(now or "") or time.time())), 300.0)
    if text is None or len(text) > 40 or not re.fullmatch(r"\s*\d+(\.\d+)?\s*|(\d+(\.\d+)?(ms|h|m|s))+", text):
        return None
    total = 0.0
    for amount, unit in re.findall(r"([\d.]+)\s*(ms|h|m|s|)", text):
        total += float(amount) * {"ms": 1e-3, "h": 3600, "m": 60, "s": 1, "": 1}[unit]
    return min(total, 300.0)


def _timestamp(text: str) -> float | None:
    """A date of HTTP in seconds since 1970; None where it is none."""
    if len(text) > 40 or not text.endswith("GMT"):
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, ArithmeticError, OSError):
        return None


@cache
def _at(base: str, path: str) -> str:
    """A place below a base URL, whose query (`?api-version=`) stays behind it."""
    url, mark, query = base.partition("?")
    return f"{url.rstrip('/')}/{path}{mark}{query}"


def _proxy(url: str) -> str | None:
    """The proxy that the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`) names for a URL; None for this machine,
    and where it names none."""
    at = urlsplit(url)
    host = at.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    return getproxies().get(at.scheme)


async def _body(response: aiohttp.ClientResponse) -> str:
    """A reply's text: UTF-8, as JSON is whatever the server says; a ValueError where it is none, or too long."""
    if (response.content_length or MOST_BYTES) < MOST_BYTES and "Content-Encoding" not in response.headers:
        return (await response.read()).decode()  # it cannot be longer than it says
    held = bytearray()
    async for part in response.content.iter_chunked(1 << 16):
        held += part
        if len(held) > MOST_BYTES:
            raise ValueError(f"the reply is over {MOST_BYTES // 1_000_000} MB")
    return held.decode()


def _words(content: Any) -> str:
    """A message's text, be it given as such or in parts; a TypeError where it is neither."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part["text"] for part in content if part.get("type") in ("text", "output_text"))


def _n_tokens(said: Any) -> int:
    """A server's count of tokens."""
    return min(max(0, int(said or 0)), MOST_TOKENS)


def _written(logprobs: Any, keys: Sequence[str]) -> list[Token]:
    try:
        return [_token(held, keys) for held in to_keep(logprobs["content"], lambda held: str(held["token"]))]
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError):
        return []


def _token(held: Mapping[str, Any], keys: Sequence[str]) -> Token:
    candidates = held.get("top_logprobs") or [held]
    return Token(
        without_keys(str(held["token"]), keys),
        told((without_keys(str(c["token"]), keys), float(c["logprob"])) for c in candidates),
    )


_FILTER = re.compile(
    r"content[ _-]?(?:filter|policy|management|safety)|responsible[ _-]?ai|safety system|"
    r"flagged (?:as|for)|invalid_prompt",
    re.IGNORECASE,
)
_OF_THE_ACCOUNT = re.compile(
    r"\b(?:your|the|this|api) (?:account|organi[sz]ation|project|key)\b|deactivated", re.IGNORECASE
)
_SPENT = re.compile(r"insufficient[_ ](?:quota|funds|credits?|balance)|billing_hard_limit", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window)|maximum context|too (?:many tokens|long)|prompt is too "
    r"long",
    re.IGNORECASE,
)


def _of_this_call(status: int, text: str) -> Literal["filter", "too long"] | None:
    """Why a server refused one call and would take others: a filter on its words, or their length; None where it says
    neither."""
    said = text[:10_000]
    if _FILTER.search(said):
        return "filter"
    return "too long" if status == TOO_LARGE or _TOO_LONG.search(said) else None


def _model_names(text: str) -> set[str]:
    try:
        return {str(model["id"]) for model in json.loads(text)["data"]}
    except (ValueError, LookupError, TypeError, RecursionError):
        return set()


def _message(text: str) -> str:
    """What a server says of an error, in one line."""
    try:
        body = json.loads(text)
        said = body.get("error", body.get("detail", body)) if isinstance(body, dict) else body
        said = said.get("message", said) if isinstance(said, dict) else said
    except (ValueError, RecursionError):
        said = text
    return " ".join(str(said).split()) or "no message"


def _name(error: BaseException) -> str:
    return "timed out" if isinstance(error, TimeoutError) else type(error).__name__
