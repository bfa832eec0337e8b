"""Queries are shown only to those who may see the channel they came from."""

import dataclasses
from typing import Any

import pytest
from support.people import Json, Person
from support.run_rows import promoted_run
from support.sandbox_world import add_channel
from support.wire import Wire

from bot.announcements.verdicts import Verdicts
from bot.runs.training_runs import RunEnd
from storage.errors import DatabaseUnavailableError

pytestmark = pytest.mark.asyncio(loop_scope="module")
RUN = promoted_run(trigger="retrain")


async def shown(wire: Wire, reply: Json, channel_id: int) -> bool:
    """Whether the verdict for a channel shows the query of a reply."""
    query = (await wire.row(reply))["query"]
    report: dict[str, Any] = {"changes": [{"query": query, "before": ["a"], "after": ["b"]}]}
    end = RunEnd(dataclasses.replace(RUN, report=report), "v0002 is the new champion.")
    verdicts = Verdicts(wire.app.bot, wire.app.database, wire.app.registry)
    embed = await verdicts.embed(end, channel_id=channel_id)
    return any(field.name == "What changed" for field in embed.fields)


async def private_channel(wire: Wire, person: Person) -> int:
    """A channel that one person and the bot can see."""
    return add_channel(wire.sandbox, "private", only_for=[person.id, wire.sandbox.bot_user_id]).id


async def test_a_query_from_an_open_channel_is_shown_everywhere_in_the_server(
    wire: Wire, ann: Person
) -> None:
    reply = await wire.ask(ann, "open shoes are [MASK]")
    assert await shown(wire, reply, wire.channel_id)
    assert await shown(wire, reply, wire.sandbox.reports_channel_id)
    assert await shown(wire, reply, await private_channel(wire, ann))


async def test_a_query_from_an_open_thread_is_shown(wire: Wire, ann: Person) -> None:
    thread = await ann.request("POST", f"/channels/{wire.channel_id}/threads", {"name": "words", "type": 11})
    reply = await wire.ask(ann, "threaded shoes are [MASK]", channel_id=int(thread["id"]))
    assert await shown(wire, reply, wire.channel_id)


async def test_a_query_from_a_private_channel_is_shown_only_there(wire: Wire, ann: Person) -> None:
    private = await private_channel(wire, ann)
    reply = await wire.ask(ann, "private shoes are [MASK]", channel_id=private)
    assert await shown(wire, reply, private)
    assert not await shown(wire, reply, wire.channel_id)
    assert not await shown(wire, reply, wire.sandbox.reports_channel_id)


async def test_a_query_from_a_direct_message_is_never_shown(wire: Wire, ann: Person) -> None:
    direct = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await wire.ask(ann, "direct shoes are [MASK]", channel_id=direct)
    assert not await shown(wire, reply, wire.channel_id)
    assert not await shown(wire, reply, direct)


async def test_no_query_is_shown_in_direct_messages(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann, "wide open shoes are [MASK]")
    assert not await shown(wire, reply, await ann.direct_channel_id(wire.sandbox.bot_user_id))


async def test_a_database_that_cannot_be_read_costs_the_queries_alone(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = await wire.ask(ann, "lost shoes are [MASK]")
    row = await wire.row(reply)

    def broken(*_: object) -> None:
        raise DatabaseUnavailableError("fillbot.db", "gone")

    async def known_row(_: Json) -> dict[str, Any]:
        return row

    monkeypatch.setattr(wire, "row", known_row)
    monkeypatch.setattr(wire.app.database, "read", broken)
    assert not await shown(wire, reply, wire.channel_id)
