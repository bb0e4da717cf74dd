"""What a target must do."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any, Protocol, Self

from undertow.records import Answer, Request, Sampling


class Target(Protocol):
    """Answers requests. An async context manager: entering looks whether it can answer at all, and opens what it
    needs."""

    asks_system: bool = False
    """Whether it will be asked under a system prompt, which is tried then too."""
    copies: bool = False
    """Whether it gave one answer to two seeds, when tried."""

    def describe(self) -> Mapping[str, Any]:
        """What it is, for the plan and the report: `name` and whatever decides its answers. No secrets, no addresses of
        keys."""
        ...

    def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        """One answer for each request, in any order, as they come; a failure is an answer with `finish='failed'`.

        Raises:
            InputError: no call of this kind can succeed, so the run should stop.
        """
        ...

    async def probe(self, sampling: Sampling) -> None:
        """Ask it one thing, where asking may fail, before anything is paid for.

        Raises:
            InputError: nothing usable comes.
        """
        return None

    async def __aenter__(self) -> Self:
        """
        Raises:
            InputError: it cannot answer.
        """
        return self

    async def __aexit__(self, *error: object) -> None:
        return None
