import asyncio
from contextlib import AsyncExitStack

import pytest

from bot.answering.in_flight import InFlight
from bot.errors import BusyError


@pytest.fixture
async def in_flight() -> InFlight:
    return InFlight()


async def test_votes_are_recorded_at_once_when_no_reply_is_being_sent(in_flight: InFlight) -> None:
    async with in_flight.after_replies(1):
        pass


async def test_votes_wait_for_the_replies_being_sent_in_their_channel(in_flight: InFlight) -> None:
    counted = []

    async def count(channel_id: int) -> None:
        async with in_flight.after_replies(channel_id):
            counted.append(channel_id)

    with in_flight.sending_reply(1):
        waiting = asyncio.create_task(count(1))
        await count(2)
        assert counted == [2]
    await waiting
    assert counted == [2, 1]


async def test_votes_do_not_wait_for_replies_that_begin_later(in_flight: InFlight) -> None:
    async def count() -> None:
        async with in_flight.after_replies(1):
            pass

    with in_flight.sending_reply(1):
        waiting = asyncio.create_task(count())
        await asyncio.sleep(0)  # it waits for the first reply
        later = in_flight.sending_reply(1)
        later.__enter__()
    await waiting
    later.__exit__(None, None, None)


async def test_waiting_votes_go_on_in_order(in_flight: InFlight) -> None:
    order = []

    async def count(name: str) -> None:
        async with in_flight.after_replies(1):
            order.append(name)

    async with asyncio.TaskGroup() as group:
        with in_flight.sending_reply(1):
            group.create_task(count("first"))
            await asyncio.sleep(0)  # it waits, before the second is created
            with in_flight.sending_reply(1):
                group.create_task(count("second"))
                await asyncio.sleep(0)  # it waits, too
            assert order == []
        group.create_task(count("third"))  # nothing is on its way any more, but two are still waking up
    assert order == ["first", "second", "third"]


async def test_votes_do_not_wait_for_a_reply_that_failed(in_flight: InFlight) -> None:
    with pytest.raises(ZeroDivisionError), in_flight.sending_reply(1):
        raise ZeroDivisionError
    async with in_flight.after_replies(1):
        pass


async def test_drain_waits_for_all_tracked_work(in_flight: InFlight) -> None:
    may_work, may_count, done = asyncio.Event(), asyncio.Event(), []

    async def work() -> None:
        async with in_flight.track():
            await may_work.wait()
            done.append("work")

    async def count() -> None:
        async with in_flight.after_replies(1):
            await may_count.wait()
            done.append("count")
            may_work.set()

    tasks = [asyncio.create_task(one) for one in (work(), count())]
    await asyncio.sleep(0)  # both are tracked
    draining = asyncio.create_task(in_flight.drain())
    await asyncio.sleep(0)  # it waits for them
    may_count.set()
    await draining
    assert done == ["count", "work"]
    await asyncio.gather(*tasks)


async def test_drain_gives_up_after_the_grace(in_flight: InFlight) -> None:
    async with in_flight.track():
        await in_flight.drain(grace_s=0.01)


async def test_drain_does_not_wait_for_work_that_failed(in_flight: InFlight) -> None:
    with pytest.raises(ZeroDivisionError):
        async with in_flight.track():
            raise ZeroDivisionError
    await in_flight.drain()


async def fill_slots(in_flight: InFlight, stack: AsyncExitStack) -> None:
    for _ in range(2):
        await stack.enter_async_context(in_flight.query_slot())


async def test_a_query_is_refused_when_all_slots_are_taken() -> None:
    in_flight = InFlight(max_queries=2)
    async with AsyncExitStack() as stack:
        await fill_slots(in_flight, stack)
        with pytest.raises(BusyError):
            await stack.enter_async_context(in_flight.query_slot())


async def test_a_slot_is_free_after_an_error() -> None:
    in_flight = InFlight(max_queries=2)
    with pytest.raises(ZeroDivisionError):
        async with in_flight.query_slot():
            raise ZeroDivisionError
    async with AsyncExitStack() as stack:
        await fill_slots(in_flight, stack)


async def test_a_released_slot_is_free_while_the_query_is_still_tracked() -> None:
    in_flight = InFlight(max_queries=1)
    async with in_flight.query_slot() as release:
        release()
        async with in_flight.query_slot():
            pass
        await in_flight.drain(grace_s=0.01)
