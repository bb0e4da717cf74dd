"""What a target must do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from undertow.records import Answer, Request


class Target(Protocol):
    """Answers requests."""

    def describe(self) -> Mapping[str, Any]:
        """What it is, for the plan and the report: `name` and whatever decides its answers."""
        ...

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """One answer for each request, in any order, as they come; a failure is an answer with `finish='failed'`."""
        ...
