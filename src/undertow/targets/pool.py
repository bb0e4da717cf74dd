"""Work side by side: on a stream of items, so many at a time, or on a few things at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def stream(items: Iterable[T]) -> AsyncIterator[T]:
    """An ordinary iterable as an asynchronous one."""
    for item in items:
        yield item


async def side_by_side(*work: Awaitable[R]) -> list[R]:
    """All results, in order. Whatever was begun is waited for, whatever became of the others; the first error is then
    raised."""
    if len(work) == 1:
        return [await work[0]]
    done = await asyncio.gather(*work, return_exceptions=True)
    results = []
    for one in done:
        if isinstance(one, BaseException):
            raise one
        results.append(one)
    return results


@asynccontextmanager
async def all_open(*managers: AbstractAsyncContextManager[Any]) -> AsyncIterator[None]:
    """All of them entered, side by side; those that could be are left again if one could not."""
    async with AsyncExitStack() as stack:
        await side_by_side(*map(stack.enter_async_context, managers))
        yield


async def pool(items: AsyncIterable[T], work: Callable[[T], Awaitable[R]], size: int) -> AsyncIterator[R]:
    """Results of `work` on every item, `size` at a time, as they come.

    Items are taken only as fast as they are worked on, and results kept only until they are taken, so memory stays
    flat. The first exception of an item or of the stream cancels the rest and is raised here.
    """
    source = aiter(items)
    turn = asyncio.Lock()
    results: deque[R] = deque()
    came, room = asyncio.Event(), asyncio.Event()
    most, no_more, over = 4 * size, False, False

    async def worker() -> None:
        nonlocal no_more
        while True:
            async with turn:  # one at a time takes from the stream, which mostly gives at once
                if no_more:
                    return
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    no_more = True
                    return
            result = await work(item)
            while len(results) >= most:
                room.clear()
                await room.wait()
            results.append(result)
            came.set()

    async def everything() -> BaseException | None:
        nonlocal over
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(size):
                    group.create_task(worker())
        except BaseExceptionGroup as failures:
            failure = failures
            while isinstance(failure, BaseExceptionGroup):
                failure = failure.exceptions[0]
        over = True
        came.set()
        return failure

    whole = asyncio.create_task(everything())
    try:
        while results or not over:
            if results:
                result = results.popleft()
                room.set()
                yield result
            else:
                came.clear()
                await came.wait()
        if failure := await whole:
            raise failure
    finally:
        whole.cancel()
