"""`!stats` over the wire; a real child draws, or a pretended one."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from support.charts import field, picture, size_of
from support.people import Person
from support.sandbox_world import add_channel
from support.wire import Wire, wired

from bot.features.stats import TeamStats, stats_embed
from storage.schema import people
from storage.votes.approval import Totals
from storage.votes.stats import TopVoter

pytestmark = pytest.mark.asyncio(loop_scope="module")
Asked = Callable[[], dict[str, Any]]


async def in_new_home(home: Path, body: Callable[[Wire, Person, Person], Awaitable[None]]) -> None:
    async with wired(home) as wire, wire.member() as one, wire.member() as two:
        await body(wire, one, two)


async def test_stats_without_votes_have_no_picture(home: Path) -> None:
    async def look(wire: Wire, one: Person, _: Person) -> None:
        (embed,) = (await wire.say(one, "!stats"))["embeds"]
        assert embed["description"].startswith("There are no votes")
        assert "image" not in embed

    await in_new_home(home, look)


async def test_stats_tell_who_votes_and_what_is_contested(home: Path) -> None:
    async def look(wire: Wire, one: Person, two: Person) -> None:
        private = add_channel(wire.sandbox, "private", only_for=[one.id, two.id, wire.sandbox.bot_user_id]).id
        for text, channel_id in (("open shoes are [MASK]", None), ("private shoes are [MASK]", private)):
            reply = await wire.ask(one, text, channel_id=channel_id)
            await one.react(reply, "👍")
            await two.react(reply, "👎")
            await wire.until_votes(reply, (one, 1), (two, -1))
        reply = await wire.slash(one, "stats")
        assert reply["embeds"][0]["description"] == "4 votes by 2 people: 2 👍, 2 👎."
        assert field(reply, "Most contested").startswith("open shoes are **")
        assert field(reply, "Most contested").endswith("**. · 👍 1 👎 1")
        assert "private shoes" not in json.dumps(reply)
        lines = {f"<@{who.id}> · 2 votes" for who in (one, two)}
        assert set(field(reply, "Who helped most").split("\n")) == lines
        assert reply["mentions"] == []
        assert size_of(await picture(reply))[0] == 1350
        direct = await one.direct_channel_id(wire.sandbox.bot_user_id)
        assert field(await wire.say(one, "!stats", channel_id=direct), "Most contested") == ""

    await in_new_home(home, look)


async def test_agreement_is_said_of_people_with_whom_others_agree() -> None:
    helpers = [TopVoter(1, 1, 1), TopVoter(2, 7, 3), TopVoter(3, 1, 0), TopVoter(4, 7, 0)]
    (field,) = stats_embed(TeamStats(Totals(16, 4, 9), (), (), (), helpers)).fields
    assert (field.value or "").split("\n") == [
        "<@1> · one vote, which others agree with",
        "<@2> · 7 votes, others agree with 3",
        "<@3> · one vote",
        "<@4> · 7 votes",
    ]


async def test_people_who_opted_out_are_not_in_the_stats(home: Path, asked: Asked) -> None:
    async def look(wire: Wire, one: Person, two: Person) -> None:
        reply = await wire.ask(one)
        await one.react(reply, "👍")
        await two.react(reply, "👎")
        await wire.until_votes(reply, (one, 1), (two, -1))
        async with wire.app.database.write() as connection:
            gone = {"user_id": two.id, "opted_out_at": datetime.now(UTC) - timedelta(seconds=1)}
            await connection.execute(insert(people), gone)
        shown = await wire.say(one, "!stats")
        assert shown["embeds"][0]["description"] == "One vote by one person: 1 👍, 0 👎."
        assert str(two.id) not in json.dumps(shown["embeds"])
        figures = asked()
        assert figures["days"][-1][1:] == [1, 0]
        assert len(figures["days"]) == 30
        assert figures["versions"] == [["v0001", 1, 1]]

    await in_new_home(home, look)
