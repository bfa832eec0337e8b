"""What takes longer than a moment is shown to be worked on, over the wire."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.people import Person
from support.wire import EPHEMERAL, LOADING, Wire

from bot.answering.query_handler import QueryHandler

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Every answer waits for this."""
    gate = asyncio.Event()
    reply: Callable[..., Awaitable[object]] = QueryHandler.reply

    async def wait(*arguments: object) -> object:
        await gate.wait()
        return await reply(*arguments)

    monkeypatch.setattr(QueryHandler, "reply", wait)
    return gate


async def test_a_message_is_answered_by_typing_first(wire: Wire, ann: Person, slow: asyncio.Event) -> None:
    since = ann.mark()
    await ann.say(wire.channel_id, "!fill slow shoes are [MASK]")
    await ann.wait_for_event("TYPING_START", since=since)
    slow.set()
    assert await ann.wait_for_message(lambda m: bool(m["embeds"]), since=since)


async def test_a_slash_command_thinks_first(wire: Wire, ann: Person, slow: asyncio.Event) -> None:
    since = ann.mark()
    await ann.slash(wire.channel_id, "fill", text="slow shoes are [MASK]")
    thinking = await ann.wait_for_message(lambda m: bool(m["flags"] & LOADING), since=since)
    slow.set()
    answered = await ann.wait_for_message(lambda m: bool(m["embeds"]), since=since)
    assert answered["id"] == thinking["id"]


async def test_an_error_ends_the_thinking(
    wire: Wire, ann: Person, slow: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = ann.mark()
    slow.set()
    await ann.slash(wire.channel_id, "fill", text="no mask here")
    answered = await ann.wait_for_message(lambda m: "Put `[MASK]`" in m["content"], since=since)
    assert answered["flags"] & EPHEMERAL


async def test_a_quick_answer_shows_nothing_before_it(wire: Wire, ann: Person) -> None:
    since = ann.mark()
    await wire.ask(ann)
    assert "TYPING_START" not in {name for name, body in ann.events[since:]}
