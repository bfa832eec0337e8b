"""One process with several shards over the wire: every server answered, each by its own connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from faults.hosted import hosted
from support.people import Person
from support.sandbox_faults import faults_of
from support.teams import Team, found_teams
from support.wire import Wire, eventually

from bot.distributed.sharded_client import ShardedBot
from bot.sandbox.server import Sandbox
from bot.voting.reconcile import DEBOUNCE_S


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(max_concurrency=16) as sandbox:
        yield sandbox


@pytest.fixture
def teams(sandbox: Sandbox) -> list[Team]:
    return found_teams(sandbox, 4)


@pytest.fixture
async def wire(home: Path, sandbox: Sandbox, teams: list[Team]) -> AsyncIterator[Wire]:
    guild_ids = tuple(team.guild_id for team in teams)
    async with hosted(home, sandbox, guild_ids=guild_ids, shard_count=2) as wire:
        yield wire


@pytest.fixture
async def mia(wire: Wire) -> AsyncIterator[Person]:
    async with wire.person("mia") as person:
        yield person


def is_online(wire: Wire, wanted: bool) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return wire.app.bot.is_online is wanted

    return look


async def test_every_server_is_answered_and_votes_count_once(
    wire: Wire, mia: Person, teams: list[Team]
) -> None:
    bot = wire.app.bot
    assert isinstance(bot, ShardedBot)
    assert {guild.id: guild.shard_id for guild in bot.guilds} == {t.guild_id: t.shard(2) for t in teams}
    assert {team.shard(2) for team in teams} == {0, 1}
    assert bot.is_online
    for team in teams:
        reply = await wire.ask(mia, channel_id=team.channel_id)
        await mia.react(reply, "👍")
        await wire.until_votes(reply, (mia, 1))


async def test_a_direct_message_comes_once(wire: Wire, mia: Person) -> None:
    channel_id = await mia.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await wire.ask(mia, channel_id=channel_id)
    answers = [one for one in await mia.messages(channel_id) if one["author"]["id"] != str(mia.id)]
    assert [one["id"] for one in answers] == [reply["id"]]


async def test_thumbs_given_while_one_shard_was_away_are_read_back(
    wire: Wire, mia: Person, teams: list[Team]
) -> None:
    """discord.py says that all shards are ready once only."""
    team = next(team for team in teams if team.shard(2) == 1)
    reply = await wire.ask(mia, channel_id=team.channel_id)
    await asyncio.sleep(2 * DEBOUNCE_S)  # the pass after the start begins only then, and is over at once
    faults_of(wire.sandbox).invalidate_sessions(shard_id=1)
    await mia.react(reply, "👎")
    await eventually(is_online(wire, False))
    await wire.until_votes(reply, (mia, -1))
    await eventually(is_online(wire, True))
