import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from training.inference.batching import Batcher
from training.inference.errors import TooManyWaitingError


class Kitchen:
    """Serves by doubling; holds each batch until it is let go, when `is_slow`."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.is_slow = is_slow
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()

    async def serve(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.set()
        if self.is_slow:
            await self.go_on.wait()
        if -1 in items:
            raise ZeroDivisionError
        return [2 * item for item in items if item != -2]


@pytest.fixture
async def kitchen() -> Kitchen:
    return Kitchen(is_slow=True)


@pytest.fixture
async def batcher(kitchen: Kitchen) -> AsyncIterator[Batcher[int, int]]:
    batcher = Batcher(kitchen.serve, max_batch=3, max_waiting=5)
    yield batcher
    await batcher.close()


async def first(batcher: Batcher[int, int], kitchen: Kitchen, item: int) -> "asyncio.Task[int]":
    """Submit an item and wait until it is being served."""
    task = asyncio.create_task(batcher.submit(item))
    await kitchen.begun.wait()
    return task


async def test_a_lone_item_waits_for_nobody(batcher: Batcher[int, int], kitchen: Kitchen) -> None:
    kitchen.is_slow = False
    assert await batcher.submit(21) == 42
    assert kitchen.batches == [[21]]


async def queued(batcher: Batcher[int, int], items: int) -> None:
    """Let the event loop run until this many items are in the queue."""
    while batcher.waiting < items:  # noqa: ASYNC110 — the queue has no event for it
        await asyncio.sleep(0)


async def test_what_waits_is_served_as_one_batch_in_order(
    batcher: Batcher[int, int], kitchen: Kitchen
) -> None:
    tasks = [await first(batcher, kitchen, 0), *(asyncio.create_task(batcher.submit(n)) for n in range(1, 6))]
    await queued(batcher, 5)
    kitchen.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10]
    assert kitchen.batches == [[0], [1, 2, 3], [4, 5]]


async def test_who_gave_up_is_not_served(batcher: Batcher[int, int], kitchen: Kitchen) -> None:
    tasks = [await first(batcher, kitchen, 0), *(asyncio.create_task(batcher.submit(n)) for n in (1, 2))]
    await queued(batcher, 2)
    tasks[1].cancel()
    kitchen.go_on.set()
    assert await tasks[2] == 4
    assert kitchen.batches == [[0], [2]]


async def test_giving_up_while_being_served_troubles_nobody(
    batcher: Batcher[int, int], kitchen: Kitchen
) -> None:
    task = await first(batcher, kitchen, 0)
    task.cancel()
    kitchen.go_on.set()
    assert await batcher.submit(3) == 6


async def test_a_fault_reaches_everybody_in_the_batch_and_nobody_else(
    batcher: Batcher[int, int], kitchen: Kitchen
) -> None:
    tasks = [await first(batcher, kitchen, 0), *(asyncio.create_task(batcher.submit(n)) for n in (1, -1))]
    await queued(batcher, 2)
    kitchen.go_on.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == 0
    assert [type(result) for result in results[1:]] == [ZeroDivisionError, ZeroDivisionError]
    assert await batcher.submit(5) == 10


async def test_a_result_too_few_is_a_fault_and_not_a_hang(
    batcher: Batcher[int, int], kitchen: Kitchen
) -> None:
    kitchen.is_slow = False
    with pytest.raises(ValueError, match="zip"):
        await batcher.submit(-2)
    assert await batcher.submit(5) == 10


async def test_a_full_queue_refuses(batcher: Batcher[int, int], kitchen: Kitchen) -> None:
    tasks = [await first(batcher, kitchen, 0), *(asyncio.create_task(batcher.submit(n)) for n in range(5))]
    await queued(batcher, 5)
    with pytest.raises(TooManyWaitingError, match="Ask again in a second"):
        await batcher.submit(9)
    kitchen.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 0, 2, 4, 6, 8]


async def test_closing_cancels_whoever_waits(batcher: Batcher[int, int], kitchen: Kitchen) -> None:
    tasks = [await first(batcher, kitchen, 0), asyncio.create_task(batcher.submit(1))]
    await queued(batcher, 1)
    await batcher.close()
    await batcher.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2


async def test_an_item_that_comes_after_closing_does_not_wait(batcher: Batcher[int, int]) -> None:
    await batcher.close()
    task = asyncio.create_task(batcher.submit(1))
    done, _ = await asyncio.wait({task}, timeout=10)
    assert done == {task}
    assert task.cancelled()
