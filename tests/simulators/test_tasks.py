"""A task that swallows cancellations ends all the same."""

import asyncio
import contextlib

from simulators.tasks import ended


async def test_a_task_that_swallows_cancellations_is_told_again() -> None:
    told = 0

    async def stubborn() -> None:
        nonlocal told
        while told < 3:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            told += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(ended(task), 5)
    assert (task.done(), told) == (True, 3)


async def test_what_a_task_raises_at_its_end_is_of_no_interest() -> None:
    async def failing() -> None:
        raise OSError

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await ended(task)
    assert task.done()
