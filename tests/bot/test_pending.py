import asyncio

import pytest

from bot.pending import PendingReplies


async def test_nothing_on_its_way_is_settled_at_once() -> None:
    await PendingReplies().settled(1)


async def test_settled_waits_for_what_is_on_its_way_in_the_channel() -> None:
    pending = PendingReplies()
    with pending.sending(1):
        waiting = asyncio.create_task(pending.settled(1))
        await pending.settled(2)
        assert not waiting.done()
    await waiting


async def test_settled_does_not_wait_for_what_begins_later() -> None:
    pending = PendingReplies()
    with pending.sending(1):
        waiting = asyncio.create_task(pending.settled(1))
        await asyncio.sleep(0)
        later = pending.sending(1)
        later.__enter__()
    await waiting
    later.__exit__(None, None, None)


async def test_those_who_wait_go_on_in_order() -> None:
    pending, order = PendingReplies(), []

    async def wait(name: str) -> None:
        await pending.settled(1)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        with pending.sending(1):
            group.create_task(wait("first"))
            await asyncio.sleep(0)
            with pending.sending(1):
                group.create_task(wait("second"))
                await asyncio.sleep(0)
            assert order == []
        group.create_task(wait("third"))  # nothing is on its way any more, but two are still waking up
    assert order == ["first", "second", "third"]


async def test_a_reply_that_failed_is_not_waited_for() -> None:
    pending = PendingReplies()
    with pytest.raises(ZeroDivisionError), pending.sending(1):
        raise ZeroDivisionError
    await pending.settled(1)
