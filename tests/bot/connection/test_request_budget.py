"""The budget of all requests: the most urgent go first, and a refusal stops all."""

import asyncio
import time

from bot.connection.request_budget import Priority, RequestBudget


def limited(*, rate_per_s: float) -> RequestBudget:
    budget = RequestBudget(rate_per_s=rate_per_s, burst=1.0, clock=time.monotonic)
    budget.is_unlimited = False
    return budget


async def test_the_most_urgent_goes_first() -> None:
    budget, went = limited(rate_per_s=100), []
    await budget.spend(Priority.OTHER)

    async def spend(priority: Priority) -> None:
        await budget.spend(priority)
        went.append(priority)

    order = [Priority.REACTION, Priority.OTHER, Priority.MESSAGE, Priority.NOTICE]
    await asyncio.gather(*(spend(one) for one in order))
    assert went == sorted(order)


async def test_nothing_goes_during_a_pause() -> None:
    budget, began = limited(rate_per_s=100), time.monotonic()
    budget.pause(0.1)
    await budget.spend(Priority.NOTICE)
    assert time.monotonic() - began >= 0.1


async def test_without_limits_nothing_waits() -> None:
    budget = RequestBudget(rate_per_s=0.001, burst=1.0, clock=time.monotonic)
    async with asyncio.timeout(5):
        for _ in range(100):
            await budget.spend(Priority.OTHER)


async def test_those_who_wait_go_on_when_there_are_no_limits() -> None:
    budget = limited(rate_per_s=0.001)
    await budget.spend(Priority.OTHER)
    waiting = asyncio.create_task(budget.spend(Priority.OTHER))
    await asyncio.sleep(0)  # it waits for the budget
    budget.is_unlimited = True
    async with asyncio.timeout(5):
        await waiting
