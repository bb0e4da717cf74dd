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

    Items are taken only as fast as they are worked on, and results kept only until they are taken, so memory stays flat.
    The first exception of an item or of the stream cancels the rest and is raised here.
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

    async def everything() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for task in (feed, *[worker] * size):
                    group.create_task(task())
        finally:
            await results.put(_END)

    whole = asyncio.create_task(everything())
    try:
        while (result := await results.get()) is not _END:
            yield result  # type: ignore[misc]
        await whole
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
    finally:
        whole.cancel()
