"""Work on a stream of items, so many at a time: results as they come, in any order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END = object()


async def stream(items: Iterable[T]) -> AsyncIterator[T]:
    """An ordinary iterable as an asynchronous one."""
    for item in items:
        yield item


async def pool(items: AsyncIterable[T], work: Callable[[T], Awaitable[R]], size: int) -> AsyncIterator[R]:
    """Results of `work` on every item, `size` at a time, as they come.

    Items are taken only as fast as they are worked on, and results kept only until they are taken, so memory stays
    flat. The first exception of an item or of the stream cancels the rest and is raised here.
    """
    waiting: asyncio.Queue[object] = asyncio.Queue(maxsize=size)
    results: asyncio.Queue[object] = asyncio.Queue(maxsize=4 * size)

    async def feed() -> None:
        async for item in items:
            await waiting.put(item)
        for _ in range(size):
            await waiting.put(_END)

    async def worker() -> None:
        while (item := await waiting.get()) is not _END:
            await results.put(await work(item))  # type: ignore[arg-type]

    async def everything() -> BaseException | None:
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for task in (feed, *[worker] * size):
                    group.create_task(task())
        except BaseExceptionGroup as failures:
            failure = failures
            while isinstance(failure, BaseExceptionGroup):
                failure = failure.exceptions[0]
        # not when cancelled: then nobody takes results any more, and a full queue would stay full
        await results.put(_END)
        return failure

    whole = asyncio.create_task(everything())
    try:
        while (result := await results.get()) is not _END:
            yield result  # type: ignore[misc]
        if failure := await whole:
            raise failure
    finally:
        whole.cancel()
