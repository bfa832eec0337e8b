import asyncio

import pytest

from bot.answering.in_flight import InFlight


@pytest.fixture
async def in_flight() -> InFlight:
    return InFlight()


async def test_counting_begins_at_once_when_nothing_is_on_its_way(in_flight: InFlight) -> None:
    async with in_flight.counting(1):
        pass


async def test_counting_waits_for_what_is_on_its_way_in_the_channel(in_flight: InFlight) -> None:
    counted = []

    async def count(channel_id: int) -> None:
        async with in_flight.counting(channel_id):
            counted.append(channel_id)

    with in_flight.sending(1):
        waiting = asyncio.create_task(count(1))
        await count(2)
        assert counted == [2]
    await waiting
    assert counted == [2, 1]


async def test_counting_does_not_wait_for_what_begins_later(in_flight: InFlight) -> None:
    async def count() -> None:
        async with in_flight.counting(1):
            pass

    with in_flight.sending(1):
        waiting = asyncio.create_task(count())
        await asyncio.sleep(0)
        later = in_flight.sending(1)
        later.__enter__()
    await waiting
    later.__exit__(None, None, None)


async def test_those_who_wait_go_on_in_order(in_flight: InFlight) -> None:
    order = []

    async def count(name: str) -> None:
        async with in_flight.counting(1):
            order.append(name)

    async with asyncio.TaskGroup() as group:
        with in_flight.sending(1):
            group.create_task(count("first"))
            await asyncio.sleep(0)
            with in_flight.sending(1):
                group.create_task(count("second"))
                await asyncio.sleep(0)
            assert order == []
        group.create_task(count("third"))  # nothing is on its way any more, but two are still waking up
    assert order == ["first", "second", "third"]


async def test_a_reply_that_failed_is_not_waited_for(in_flight: InFlight) -> None:
    with pytest.raises(ZeroDivisionError), in_flight.sending(1):
        raise ZeroDivisionError
    async with in_flight.counting(1):
        pass


async def test_drained_waits_for_everything_that_is_being_handled(in_flight: InFlight) -> None:
    done = []

    async def work() -> None:
        async with in_flight.handling():
            await asyncio.sleep(0.02)
            done.append("work")

    async def count() -> None:
        async with in_flight.counting(1):
            await asyncio.sleep(0.04)
            done.append("count")

    tasks = [asyncio.create_task(one) for one in (work(), count())]
    await asyncio.sleep(0)
    await in_flight.drained()
    assert done == ["work", "count"]
    await asyncio.gather(*tasks)


async def test_drained_gives_up_after_the_grace(in_flight: InFlight) -> None:
    async with in_flight.handling():
        await in_flight.drained(grace_s=0.01)


async def test_what_failed_is_not_waited_for(in_flight: InFlight) -> None:
    with pytest.raises(ZeroDivisionError):
        async with in_flight.handling():
            raise ZeroDivisionError
    await in_flight.drained()
