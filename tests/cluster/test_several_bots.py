"""Two processes with two shards each: every server answered once, votes exact, one that leads."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cluster.bots import Bot, Bots, bots
from cluster.sessions import end_sessions
from sqlalchemy import func, select
from support.commands import declared
from support.people import Json, Person
from support.sandbox_world import add_guild, add_person
from support.teams import Team, found_teams
from support.wire import QUERY, THUMBS, eventually

from bot.sandbox.server import Sandbox
from storage.database import Database
from storage.schema import predictions, runs, votes

COUNT = 4  # shards


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(max_concurrency=16) as sandbox:
        yield sandbox


@pytest.fixture
def teams(sandbox: Sandbox) -> list[Team]:
    return found_teams(sandbox, 8)


@pytest.fixture
async def several(
    home: Path, tmp_path: Path, sandbox: Sandbox, teams: list[Team], database_url: str
) -> AsyncIterator[Bots]:
    async with bots(tmp_path, home / "models", sandbox, teams, database_url) as several:
        yield several


@pytest.fixture
async def mia(sandbox: Sandbox, teams: list[Team]) -> AsyncIterator[Person]:
    async with Person(sandbox.url, "mia") as person:
        yield person


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


async def ask(mia: Person, team: Team) -> Json:
    """Ask, and return the reply once both thumbs are under it."""
    since = mia.mark()
    message = await mia.say(team.channel_id, f"!fill {QUERY}")

    def is_reply(body: Json) -> bool:
        return (body.get("message_reference") or {}).get("message_id") == message["id"]

    reply = await mia.wait_for_event("MESSAGE_CREATE", predicate=is_reply, since=since)
    for thumb in THUMBS:
        await mia.wait_for_event(
            "MESSAGE_REACTION_ADD",
            predicate=lambda body, thumb=thumb: (
                body["message_id"] == reply["id"] and body["emoji"]["name"] == thumb
            ),
        )
    return reply


async def until_votes(database: Database, expected: dict[int, int]) -> None:
    """Wait until exactly these votes stand, by message."""

    async def stand() -> bool:
        async with database.read() as connection:
            rows = await connection.execute(
                select(predictions.c.message_id, func.sum(votes.c.value), func.count())
                .join(votes, votes.c.prediction_id == predictions.c.id)
                .group_by(predictions.c.message_id)
            )
            found = {row[0]: row[1] for row in rows if row[2] == 1}
        return found == expected

    await eventually(stand)


async def nightly_runs(database: Database) -> list[str]:
    async with database.read() as connection:
        rows = await connection.execute(select(runs.c.status).where(runs.c.trigger == "nightly"))
        return list(rows.scalars())


async def test_votes_of_all_servers_are_exact_whoever_hears_of_them(
    several: Bots, teams: list[Team], mia: Person, database: Database
) -> None:
    first, second = await several.start(0, 1, count=COUNT), await several.start(2, 3, count=COUNT)
    await asyncio.gather(first.ready(), second.ready())
    replies = [await ask(mia, team) for team in teams]
    await asyncio.gather(*(mia.react(reply, "👍") for reply in replies))
    expected = {int(reply["id"]): 1 for reply in replies}
    await until_votes(database, expected)

    third = await several.start(3, count=COUNT)
    code, sentence = await third.ended()
    assert code == 69
    assert sentence.startswith("Shard 3 of 4 is run by another process (")
    assert f":{second.process.pid})" in sentence

    await second.kill()
    away = [reply for reply, team in zip(replies, teams, strict=True) if team.shard(COUNT) in (2, 3)]
    for reply in away:
        await mia.unreact(reply, "👍")
        await mia.react(reply, "👎")
    fourth = await several.start(2, 3, count=COUNT)
    await fourth.ready()
    await until_votes(database, expected | {int(reply["id"]): -1 for reply in away})


async def test_a_direct_message_by_a_member_of_a_server_of_another_process_is_answered(
    several: Bots, sandbox: Sandbox, teams: list[Team]
) -> None:
    far = next(team for team in teams if team.shard(COUNT) == 3)
    for shard_ids in ((0, 1), (2, 3)):
        await several.start(*shard_ids, count=COUNT)
    await asyncio.gather(*(bot.ready() for bot in several.running))
    add_person(sandbox, "zoe", guild_id=far.guild_id)
    elsewhere = add_person(sandbox, "eve").id
    add_guild(sandbox, "Elsewhere", member_ids=(elsewhere, sandbox.bot_user_id))
    async with Person(sandbox.url, "zoe") as zoe, Person(sandbox.url, "eve") as eve:
        channel_id = await zoe.direct_channel_id(sandbox.bot_user_id)
        await ask(zoe, Team(0, channel_id))
        if "quiz" in declared():
            await zoe.say(channel_id, "!quiz")  # of what those may read who may see her channels
            await zoe.wait_for_message(lambda body: body["author"]["id"] == str(sandbox.bot_user_id))
        await zoe.say(channel_id, "!retrain")
        await zoe.wait_for_message(lambda body: "Only admins" in body["content"])
        await eve.say(await eve.direct_channel_id(sandbox.bot_user_id), "!help")
        told = await eve.wait_for_message(lambda body: body["author"]["id"] == str(sandbox.bot_user_id))
        assert told["content"].startswith("I only work in my team's server")
    assert all("command.failed" not in bot.log() for bot in several.running)


async def test_another_process_leads_when_the_leader_dies_and_no_night_is_doubled(
    several: Bots, mia: Person, database: Database
) -> None:
    soon = f"{datetime.now(UTC) + timedelta(seconds=75):%H:%M}"  # in 15 to 75 seconds: at a whole minute
    for shard_ids in ((0, 1), (2, 3)):
        await several.start(*shard_ids, count=COUNT, NIGHTLY_AT=soon, MIN_JUDGEMENTS=20)
    await asyncio.gather(*(bot.ready() for bot in several.running))
    leader = await several.leader()

    async def has_begun() -> bool:
        return bool(await nightly_runs(database))

    await eventually(has_begun, timeout_s=90)
    await leader.kill()
    other = await several.leader(timeout_s=10)
    assert other is not leader

    async def is_settled() -> bool:
        return "open" not in await nightly_runs(database)

    await eventually(is_settled)
    await asyncio.sleep(1)  # real time: a second run would begin by the clock of another process
    assert len(await nightly_runs(database)) == 1


async def test_the_leader_that_loses_its_session_is_followed_by_one_leader(
    several: Bots, database_url: str, mia: Person
) -> None:
    for shard_ids in ((0, 1), (2, 3)):
        await several.start(*shard_ids, count=COUNT, HEALTH_PORT=0)
    await asyncio.gather(*(bot.ready() for bot in several.running))
    pid = (await several.leader()).process.pid

    async def all_know() -> bool:
        told = [await bot.readiness() for bot in several.running]
        shards = [one["shards"] for one in told]
        assert shards == ["0, 1 of 4", "2, 3 of 4"]
        return all(str(one["leader"]).endswith(f":{pid}") for one in told)

    await eventually(all_know)
    for _ in range(2):
        leader = await several.leader()
        elections = sum(bot.log().count("leader.elected") for bot in several.running)
        await asyncio.to_thread(end_sessions, database_url)

        async def is_over(leader: Bot = leader, before: int = elections) -> bool:
            return sum(bot.log().count("leader.elected") for bot in several.running) > before

        await eventually(is_over, timeout_s=10)
        assert "leader.lost" in leader.log()
    await several.leader()
    assert all(bot.process.returncode is None for bot in several.running), "and the shards were held again"
    assert all("shard.taken" not in bot.log() for bot in several.running)
