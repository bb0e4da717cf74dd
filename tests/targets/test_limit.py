"""A time limit for many: each ends when its time is up, and a cancellation from elsewhere stays one."""

import asyncio

import pytest

from undertow.targets.limit import TimeLimit


async def work(limit, seconds):
    """What became of work that takes so long."""
    try:
        with limit:
            await asyncio.sleep(seconds)
    except TimeoutError:
        return "timed out"
    return "done"


def test_each_ends_when_its_own_time_is_up():
    async def run():
        limit, loop = TimeLimit(0.1), asyncio.get_running_loop()
        began = loop.time()

        async def late(after, seconds):
            await asyncio.sleep(after)
            return await work(limit, seconds), loop.time() - began

        found = await asyncio.gather(late(0, 9), late(0.05, 9), late(0.05, 0.01), late(0.2, 9), late(0.2, 0))
        assert limit._ends == {}
        return found

    words, when = zip(*asyncio.run(run()), strict=True)
    assert words == ("timed out", "timed out", "done", "timed out", "done")
    for at, least in zip(when, (0.1, 0.15, 0.06, 0.3, 0.2), strict=True):
        assert at >= least - 1e-3


def test_a_task_goes_on_after_its_time_was_up():
    async def run():
        limit = TimeLimit(0.01)
        return [await work(limit, 9), await work(limit, 0), await work(limit, 9)], asyncio.current_task().cancelling()

    assert asyncio.run(run()) == (["timed out", "done", "timed out"], 0)


@pytest.mark.parametrize("both", [False, True])
def test_a_cancellation_from_elsewhere_is_none_of_its(both):
    async def run():
        limit = TimeLimit(0.01)
        task = asyncio.create_task(work(limit, 9))
        await asyncio.sleep(0)
        if both:
            limit._ends[task] = 0.0
            limit._look()
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), limit._ends

    assert asyncio.run(run()) == (True, {})


def test_what_goes_wrong_within_is_raised():
    async def run():
        with TimeLimit(1):
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        asyncio.run(run())


def test_it_serves_one_loop_after_another():
    limit = TimeLimit(0.05)
    for _ in range(2):
        assert asyncio.run(work(limit, 0)) == "done"
        limit.close()
        assert asyncio.run(work(limit, 9)) == "timed out"
        limit.close()
