"""Sessions and connections without a server: numbering, the bounded buffer, a socket that does not drain."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

from bot.sandbox.gateway.intents import Intent
from bot.sandbox.gateway.sessions import MAX_WAITING_FRAMES, Connection, Session


class StuckSocket:
    async def send_str(self, text: str) -> None:
        await asyncio.Event().wait()


class Transport:
    is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


async def test_a_socket_that_does_not_drain_is_cut_off():
    transport = Transport()
    connection = Connection(StuckSocket(), transport)
    writer = asyncio.create_task(connection.write())
    connection.send("being written for ever")
    await asyncio.sleep(0)  # the writer takes the first frame
    for _ in range(MAX_WAITING_FRAMES):
        connection.send("waiting")
    assert not transport.is_aborted
    connection.send("one too many")
    assert transport.is_aborted
    writer.cancel()


def test_missed_frames_are_kept_up_to_the_bound():
    session = Session(1, intents=None, buffer_size=3)
    assert session.missed_since(0) == []
    for at in range(5):
        session.push("MESSAGE_CREATE", {"content": str(at)})
    assert [json.loads(text)["s"] for text in session.missed_since(2)] == [3, 4, 5]
    assert session.missed_since(5) == []
    assert session.missed_since(1) is None
    assert session.missed_since(6) is None


def test_events_without_their_intent_are_not_numbered():
    session = Session(1, intents=Intent.GUILD_MESSAGES | Intent.MESSAGE_CONTENT, buffer_size=3)
    session.push("MESSAGE_REACTION_ADD", {"guild_id": "1"})
    session.push("MESSAGE_CREATE", {})
    session.push("MESSAGE_CREATE", {"guild_id": "1"})
    assert [json.loads(text)["s"] for text in session.missed_since(0)] == [1]


def test_an_older_connection_cannot_detach_a_newer_one():
    session = Session(1, intents=None, buffer_size=3)
    older, newer = Connection(StuckSocket(), None), Connection(StuckSocket(), None)
    session.connection = newer
    at = datetime(2024, 1, 1, tzinfo=UTC)
    assert not session.detach(older, at)
    assert session.connection is newer
    assert session.detach(newer, at)
    assert session.detached_at == at
