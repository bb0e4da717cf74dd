"""What a judge must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from undertow.records import Judgement, Question


class Judge(Protocol):
    """Judges answers, blind to which model gave them and in which context."""

    def describe(self) -> Mapping[str, Any]:
        """What it is, for the plan and the report: `name` and whatever decides its judgements."""
        ...

    def judgements(self, pairs: Sequence[tuple[Question, str]]) -> list[Judgement]:
        """A judgement of each (question, answer), in order; a failed call is a judgement with an `error`."""
        ...
