"""What a judge must do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self

from undertow.records import NO_ERROR, JudgeError, Judgement, Needs, Question


class Item(NamedTuple):
    """An answer to judge."""

    key: int
    """Comes back with the judgement."""
    question: Question
    text: str
    in_full: bool = False
    """Whether it is to be judged in full, whatever its alignment: one of a random sample, chosen without a look at it.
    """


class Judge(Protocol):
    """Judges answers, blind to which model gave them and in which context. An async context manager, as targets are."""

    most_calls: int
    """Calls that judging one answer may take."""
    needs: Needs = Needs()
    """What its answers' rule must know. Set before it is entered; a judge that asks little where little matters asks at
    least for this."""
    canaries: Mapping[str, float] = {}
    """What it said of stock answers when it was tried, 0 to 100 by aspect and answer: another time, a judge that says
    otherwise is not what it was."""
    errors: JudgeError = NO_ERROR
    """How wrong it was measured to be at most under the default rule: a verdict holds though it be so wrong. None where
    nobody measured."""
    notes: Sequence[str] = ()
    """What users should know of how it came to judge, in words; complete once it has been tried."""

    def tokens(self, answer: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """About how many tokens judging an answer of so many takes, read and written: in as few calls as may be, and in
        as many. Of a judge that is asked no server: none."""
        return (0, 0), (0, 0)

    def describe(self) -> Mapping[str, Any]:
        """What it is, for the plan and the report: `name`, the aspects that it `gives`, the content classes that it
        `tells`, and whatever decides its judgements. No secrets."""
        ...

    async def probe(self) -> None:
        """Try it on stock answers, where trying may fail, before anything is paid for.

        Raises:
            InputError: it cannot be read, or does not tell a good answer from a bad one.
        """
        return None

    def judgements(self, items: AsyncIterable[Item]) -> AsyncIterator[tuple[int, Judgement]]:
        """A judgement of each item under its key, in any order, as they come; a failed call is a judgement with an
        `error`."""
        ...

    async def __aenter__(self) -> Self:
        """
        Raises:
            InputError: it cannot judge.
        """
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


class BatchJudge(Judge, Protocol):
    """A judge on this machine that reads many answers at once."""

    batch: int = 256
    most_calls: int = 1

    def judge(self, pairs: Sequence[tuple[Question, str]]) -> list[Judgement]:
        """A judgement of each (question, answer), in order."""
        ...

    async def judgements(self, items: AsyncIterable[Item]) -> AsyncIterator[tuple[int, Judgement]]:
        waiting: asyncio.Queue[Item | None] = asyncio.Queue(maxsize=2 * self.batch)

        failures: list[Exception] = []

        async def feed() -> None:
            try:
                async for item in items:
                    await waiting.put(item)
            except Exception as error:
                failures.append(error)
            await waiting.put(None)

        feeding = asyncio.create_task(feed())
        try:
            over = False
            while not over:  # what is there, up to a batch; nothing is held back until a batch is full
                held = [await waiting.get()]
                while len(held) < self.batch and not waiting.empty():
                    held.append(waiting.get_nowait())
                over = None in held
                for pair in await self._judged([item for item in held if item is not None]):
                    yield pair
            if failures:
                raise failures[0]
        finally:
            feeding.cancel()

    async def _judged(self, items: list[Item]) -> list[tuple[int, Judgement]]:
        found = (
            await asyncio.to_thread(self.judge, [(question, text) for _, question, text, *_ in items]) if items else []
        )
        return [(key, judgement) for (key, *_), judgement in zip(items, found, strict=True)]
