"""Models by their Inspect names: whatever `inspect_ai` can reach, as a target or a judge.

Owns the way from a chat call to Inspect and back. Inspect sends, retries and reads its keys from the environment; it is
imported only when such a model is used.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from undertow.errors import InputError, MissingExtra
from undertow.place import Place
from undertow.targets.chat import (
    Caller,
    CallFailed,
    ChatTarget,
    LogprobsRefused,
    Reply,
    ThinkingMarks,
    Token,
    count_name,
    to_keep,
    told,
    without_keys,
)
from undertow.targets.confidential import without_secrets
from undertow.targets.protocol import Target

FINISH = {"max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}
"""Inspect's reasons to stop, in the words of a reply; every other reason is a stop."""
HOPELESS = frozenset({401, 404})
"""Statuses after which no further call can succeed: no such key, no such model."""


class InspectModelConfig(BaseModel):
    """A model by its Inspect name; the same keys for a target and for a judge."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    model: str = Field(description="Name of the model as Inspect writes it, provider first: openai/gpt-4o.")
    model_args: dict[str, Any] = Field(
        default={},
        description="Arguments for Inspect's model, such as base_url. No "
        "keys: Inspect reads them from the environment.",
    )
    concurrency: int = Field(default=32, gt=0, description="Calls in flight at most.")
    timeout_s: int = Field(default=120, gt=0, description="Seconds that one try of a call may take.")
    attempts: int = Field(default=6, gt=0, description="Times that Inspect tries a call before it counts as failed.")
    thinking: ThinkingMarks = None

    @field_validator("model_args")
    @classmethod
    def no_keys(cls, value: dict[str, Any]) -> dict[str, Any]:
        without_secrets(value, do="put it in the environment variable that Inspect's provider reads")
        for name in value:
            if re.search("key|token$|secret|password", name, re.IGNORECASE):
                raise ValueError(
                    f"{name!r} looks like a secret, and a run writes its plan to disk; put it in the environment "
                    "variable that Inspect's provider reads"
                )
            if name in ("model", "config", "memoize", "role", "required", "default"):
                raise ValueError(f"{name!r} is not for a file to set")
        return value


class InspectConfig(InspectModelConfig):
    """An Inspect model as a target."""

    kind: Literal["inspect"] = Field(description="A model that Inspect (inspect_ai) can reach.")

    def target(self, place: Place) -> Target:
        return ChatTarget(InspectModel(self, where=place.key("target")))


class InspectModel(Caller):
    """Calls to one model through Inspect."""

    def __init__(self, config: InspectModelConfig, *, where: object = "inspect") -> None:
        """
        Raises:
            MissingExtra: Inspect is not installed.
        """
        if find_spec("inspect_ai") is None:
            raise MissingExtra("Inspect (inspect_ai)", "inspect")
        self.config, self.where, self.concurrency = config, where, config.concurrency
        self.answered_by: Counter[str] = Counter()
        self._model: Any = None
        self._keys: set[str] = set()

    def describe(self) -> Mapping[str, Any]:
        thinking = {"thinking": list(self.config.thinking)} if self.config.thinking else {}
        return {"kind": "inspect", "name": self.config.model, "model_args": self.config.model_args, **thinking}

    async def __aenter__(self) -> Self:
        """
        Raises:
            InputError: Inspect cannot make the model: no such provider, its package or its key is missing.
        """
        from inspect_ai.model import GenerateConfig, get_model

        c = self.config
        self._keys = {value for name, value in os.environ.items() if re.search("KEY|TOKEN|SECRET|PASSWORD", name)}
        settings = GenerateConfig(
            max_connections=c.concurrency, max_retries=c.attempts - 1, attempt_timeout=c.timeout_s
        )
        try:
            self._model = get_model(c.model, config=settings, memoize=False, **c.model_args)
        except Exception as error:
            said = f"Inspect cannot make model {c.model!r} ({self._said(error)})"
            raise InputError(
                self.where, said, do="check the name (provider/model), and what its provider needs: a package, a key"
            ) from None
        self._keys.add(getattr(self._model.api, "api_key", None) or "")
        await self._model.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._model is not None:
            await self._model.__aexit__(None, None, None)
            self._model = None

    async def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        top_logprobs: int = 0,
    ) -> Reply:
        from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig

        kinds: dict[str, Any] = {
            "system": ChatMessageSystem,
            "user": ChatMessageUser,
            "assistant": ChatMessageAssistant,
        }
        logprobs: dict[str, Any] = {"logprobs": True, "top_logprobs": top_logprobs} if top_logprobs else {}
        settings = GenerateConfig(max_tokens=max_tokens, temperature=temperature, seed=seed, **logprobs)
        call = self._model.generate([kinds[m["role"]](content=m["content"]) for m in messages], config=settings)
        try:
            # Inspect keeps every call in the transcript of its context; in a context of its own it goes with the call.
            output = await asyncio.create_task(call)
        except Exception as error:
            raise self._failure(error) from None
        return self._read(output)

    def _read(self, output: Any) -> Reply:
        if output.empty:
            raise CallFailed(self._scrub(f"no answer came ({output.error or 'Inspect gives no reason'})"))
        count_name(self.answered_by, self._scrub(output.model or ""))
        choice = output.choices[0]
        content = choice.message.content
        thoughts = (
            [part.summary or "" if part.redacted else part.reasoning for part in content if part.type == "reasoning"]
            if isinstance(content, list)
            else []
        )
        usage = output.usage
        prompt_tokens = (
            usage.input_tokens + (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)
            if usage
            else 0
        )
        shown = self._scrub(choice.message.text)
        return Reply(
            text=shown,
            reasoning=self._scrub("\n\n".join(filter(None, thoughts))) or None,
            finish=FINISH.get(choice.stop_reason, "stop"),
            prompt_tokens=prompt_tokens,
            tokens=usage.output_tokens if usage else 0,
            # other tokens may hold a part of the key each, which nothing would find
            written=_written(choice.logprobs)[: 1 if "[key]" in shown else None],
        )

    def _failure(self, error: Exception) -> Exception:
        """What an exception of Inspect's means here: its own retries are over when it comes."""
        status = _status(error)
        if status in HOPELESS:
            return InputError(
                self.where,
                f"{self.config.model} refused the call with HTTP {status}: {self._said(error)}",
                do="check the key and the model's name",
            )
        said = self._said(error)
        return LogprobsRefused(said) if "logprob" in said.lower() else CallFailed(said)

    def _said(self, error: Exception) -> str:
        """What an exception says, in one short line without secrets."""
        error = _last(error)
        said = getattr(error, "provider_message", None) or getattr(error, "message", None) or str(error)
        # Inspect marks its messages up for a terminal
        line = " ".join(re.sub(r"\[/?(bold|blue)\]", "", str(said)).split())
        return self._scrub(f"{type(error).__name__}: {line}" if line else type(error).__name__)[:200]

    def _scrub(self, text: str) -> str:
        """Text from outside without keys."""
        return without_keys(text, self._keys)


def _last(error: Exception) -> Exception:
    """The exception of the last try, where Inspect gave up after several."""
    attempt = getattr(error, "last_attempt", None)
    last = attempt.exception() if attempt is not None else None
    return last if isinstance(last, Exception) else error


def _status(error: Exception) -> int | None:
    """The HTTP status that an exception of any provider carries, if it does."""
    error = _last(error)
    return next(
        (value for value in (getattr(error, name, None) for name in ("status_code", "code")) if isinstance(value, int)),
        None,
    )


def _written(logprobs: Any) -> tuple[Token, ...]:
    if logprobs is None or not logprobs.content:
        return ()
    kept = to_keep(logprobs.content, lambda token: str(token.token))
    return tuple(Token(t.token, told((c.token, c.logprob) for c in t.top_logprobs or [t])) for t in kept)
