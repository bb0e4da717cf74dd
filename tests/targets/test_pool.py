"""The pool: every item once, so many at a time, no reading ahead, and a clean end whatever goes wrong."""

import asyncio
import itertools
import random
from contextlib import aclosing, asynccontextmanager

import pytest

from undertow.targets.pool import all_open, pool, side_by_side, stream


async def double(n):
    await asyncio.sleep(0)
    return 2 * n


async def drain():
    """Give cancelled tasks their turn; returns those that still run."""
    for _ in range(10):
        await asyncio.sleep(0)
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.parametrize("n", [0, 1, 7, 100])
@pytest.mark.parametrize("size", [1, 3, 200])
def test_every_item_once(n, size):
    async def run():
        rng = random.Random(n)

        async def work(item):
            await asyncio.sleep(rng.random() / 1000)
            return 2 * item

        return [result async for result in pool(stream(range(n)), work, size)]

    results = asyncio.run(run())
    assert sorted(results) == [2 * item for item in range(n)]


def test_results_come_as_they_are_ready():
    async def run():
        gates = [asyncio.Event() for _ in range(3)]

        async def work(item):
            await gates[item].wait()
            return item

        order = []
        gates[2].set()
        async for result in pool(stream(range(3)), work, 3):
            order.append(result)
            gates[{2: 0, 0: 1, 1: 1}[result]].set()
        return order

    assert asyncio.run(run()) == [2, 0, 1]


def test_no_more_at_once_than_its_size():
    at_once, most = 0, []

    async def work(item):
        nonlocal at_once
        at_once += 1
        most.append(at_once)
        await asyncio.sleep(0.001)
        at_once -= 1

    async def run():
        async for _ in pool(stream(range(50)), work, 4):
            pass

    asyncio.run(run())
    assert max(most) == 4


def test_an_endless_stream_is_read_no_further_than_results_are_taken():
    taken, size = 0, 5

    async def endless():
        nonlocal taken
        for taken in itertools.count(1):
            yield taken

    async def run():
        async with aclosing(pool(endless(), double, size)) as results:
            for wanted in range(1, 200):
                await anext(results)
                for _ in range(20):
                    await asyncio.sleep(0)
                assert taken - wanted <= 7 * size  # waiting, in work, and done but not taken

    asyncio.run(run())


def test_the_first_exception_is_raised_and_ends_the_rest():
    ended = []

    async def work(item):
        if item == 3:
            raise ValueError("item 3")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(item)

    async def run():
        with pytest.raises(ValueError, match="item 3"):
            async for _ in pool(stream(range(100)), work, 4):
                pass
        return await drain()

    assert asyncio.run(run()) == set()
    assert sorted(ended) == [0, 1, 2]


def test_an_exception_of_the_stream_is_raised():
    async def broken():
        yield 1
        raise OSError("the stream broke")

    async def run():
        with pytest.raises(OSError, match="the stream broke"):
            async for _ in pool(broken(), double, 4):
                pass
        return await drain()

    assert asyncio.run(run()) == set()


@pytest.mark.parametrize("after", [1, 30])
def test_a_consumer_that_leaves_ends_the_work(after):
    begun = []

    async def work(item):
        begun.append(item)
        await asyncio.sleep(0)
        return item

    async def run():
        async with aclosing(pool(stream(itertools.count()), work, 4)) as results:
            for _ in range(after):
                await anext(results)
            for _ in range(100):  # until results wait to be taken
                await asyncio.sleep(0)
        left, n = await drain(), len(begun)
        await asyncio.sleep(0.01)
        return left, len(begun) - n

    assert asyncio.run(run()) == (set(), 0)


def test_a_consumer_that_is_cancelled_ends_the_work():
    async def run():
        ended = asyncio.Event()

        async def work(item):
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        async def consume():
            async for _ in pool(stream(itertools.count()), work, 4):
                pass

        task = asyncio.create_task(consume())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await drain(), ended.is_set()

    assert asyncio.run(run()) == (set(), True)


def test_side_by_side_waits_for_all_and_raises_the_first_error():
    done = []

    async def work(n):
        await asyncio.sleep((3 - n) / 100)
        done.append(n)
        if n:
            raise ValueError(n)
        return n

    assert asyncio.run(side_by_side(work(0), work(0))) == [0, 0]
    done.clear()
    with pytest.raises(ValueError, match="1"):
        asyncio.run(side_by_side(work(0), work(1), work(2)))
    assert done == [2, 1, 0]


def test_what_could_be_opened_is_left_again_where_another_could_not():
    came = []

    @asynccontextmanager
    async def manager(name):
        if name == "locked":
            raise ValueError(name)
        await asyncio.sleep(0.01)
        came.append(f"{name} in")
        try:
            yield
        finally:
            came.append(f"{name} out")

    async def run(*names):
        async with all_open(*map(manager, names)):
            came.append("work")

    asyncio.run(run("a", "b"))
    assert came == ["a in", "b in", "work", "b out", "a out"]
    came.clear()
    with pytest.raises(ValueError, match="locked"):
        asyncio.run(run("a", "locked", "b"))
    assert sorted(came) == ["a in", "a out", "b in", "b out"]
