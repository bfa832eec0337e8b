"""The whole loop past one machine, and then everything that can go wrong with it at 30 queries a second."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cluster.bots import Bots, bots
from cluster.everything import Everything, everything
from soak import judging
from soak.ledger import Reign, StoredRow
from soak.supervisor import Life
from soak.town import Town
from sqlalchemy import select
from support.people import Json, Person
from support.teams import Team, found_teams
from support.wire import eventually

from bot.sandbox.server import Sandbox
from storage.database import Database
from storage.schema import votes
from training.registry.versions import Registry

QUERY = "Nike shoes are very [MASK]"
RATE, SOON_S, LOOK_EVERY_S = 30.0, 10.0, 0.25
RUN_S, SETTLE_S = 300.0, 90.0


@pytest.fixture(scope="module")
def all_of_it(compact_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    base = Registry(compact_models).path("v0001")
    with everything(tmp_path_factory.mktemp("everything"), base) as running:
        yield running


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(max_concurrency=16) as sandbox:
        yield sandbox


@pytest.fixture
def teams(sandbox: Sandbox) -> list[Team]:
    return found_teams(sandbox, 2)


@pytest.fixture
def database_url(all_of_it: Everything) -> str:
    return all_of_it.database_url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
async def several(
    all_of_it: Everything, tmp_path: Path, sandbox: Sandbox, teams: list[Team], database_url: str
) -> AsyncIterator[Bots]:
    """Two processes with a shard and a home each."""
    async with bots(tmp_path, None, sandbox, teams, database_url) as several:
        for shard in (0, 1):
            await several.start(shard, count=2, HEALTH_PORT=0, MIN_JUDGEMENTS=1, **all_of_it.settings)
        await asyncio.gather(*(bot.ready(timeout_s=120) for bot in several.running))
        yield several


async def command(person: Person, text: str) -> Json:
    """Say something in the first team's channel, and return the reply."""
    since = person.mark()
    message = await person.say(Sandbox.channel_id, text)

    def is_reply(body: Json) -> bool:
        return (body.get("message_reference") or {}).get("message_id") == message["id"]

    return await person.wait_for_event("MESSAGE_CREATE", predicate=is_reply, since=since)


async def verdict_of(ada: Person, message: Json, *, timeout_s: float) -> Json:
    """The embed that a run's message ends with."""
    ended = await ada.wait_for_event(
        "MESSAGE_UPDATE",
        predicate=lambda body: body["id"] == message["id"] and bool(body["embeds"]),
        timeout_s=timeout_s,
    )
    embed: Json = ended["embeds"][0]
    return embed


async def all_serve(several: Bots, version: str) -> float:
    """Wait until every process has it. Returns for how many seconds."""
    began = time.monotonic()

    async def do() -> bool:
        told = [await bot.readiness() for bot in several.running]
        do_serve = {one["model_version"] for one in told} == {version}
        if not do_serve:
            await asyncio.sleep(LOOK_EVERY_S)  # spares the bots: each look is a connection to each of them
        return do_serve

    await eventually(do, timeout_s=SOON_S)
    return time.monotonic() - began


async def answered(several: Bots, by: str) -> int:
    return sum([await bot.answered(by) for bot in several.running])


async def test_votes_in_chat_make_a_model_on_the_cluster_that_everybody_serves(
    all_of_it: Everything, several: Bots, sandbox: Sandbox, teams: list[Team], database: Database
) -> None:
    async with Person(sandbox.url, "ada") as ada, Person(sandbox.url, "mia") as mia:
        reply = await command(mia, f"!fill {QUERY}")
        unwanted = reply["embeds"][0]["description"].split("**")[1].lower()
        for person in (ada, mia):
            await person.react(reply, "👎")

        async def are_stored() -> bool:
            return len(await stored(database)) == 2

        await eventually(are_stored)
        message = await command(ada, "!retrain")
        verdict = await verdict_of(ada, message, timeout_s=RUN_S)
        assert verdict["title"].endswith("was promoted"), verdict["description"]
        made = verdict["title"].split()[0]
        await all_serve(several, made)
        assert await asyncio.to_thread(all_of_it.champion) == made

        async def is_answered_by_it() -> bool:  # the service follows by itself
            better = await command(mia, "!fill Nike shoes look so very [MASK]")
            return made in better["embeds"][0]["footer"]["text"]

        await eventually(is_answered_by_it, timeout_s=SOON_S)
        better = await command(mia, f"!fill {QUERY}")
        assert better["embeds"][0]["description"].split("**")[1].lower() != unwanted
        assert await answered(several, "service") > 0


@dataclass
class Watch:
    """When which version was champion, as somebody at a machine of their own sees it."""

    all_of_it: Everything
    began: float = field(default_factory=time.monotonic)
    reigns: list[Reign] = field(default_factory=list)

    def now_s(self) -> float:
        return time.monotonic() - self.began

    async def follow(self) -> None:
        """For ever. A reign lasts as long as it may have, from one look to the next."""
        before_s = 0.0
        while True:
            looked_s = self.now_s()
            champion = await asyncio.to_thread(self.all_of_it.champion)
            assert champion is not None
            if not self.reigns or self.reigns[-1].version != champion:
                if self.reigns:
                    last = self.reigns.pop()
                    self.reigns.append(Reign(last.version, last.from_s, self.now_s()))
                self.reigns.append(Reign(champion, before_s, float("inf")))
            before_s = looked_s
            await asyncio.sleep(LOOK_EVERY_S)  # samples which version is champion


async def test_nothing_is_lost_while_parts_of_it_die_at_thirty_queries_a_second(
    all_of_it: Everything, several: Bots, sandbox: Sandbox, teams: list[Team], database: Database
) -> None:
    watch = Watch(all_of_it)
    earlier = {row.prediction_id for row in await stored(database)}  # of the test before
    towns = [
        Town(sandbox, random.Random(n), now_s=watch.now_s, guild_id=team.guild_id, name=f"town{n}")
        for n, team in enumerate(teams)
    ]
    async with Person(sandbox.url, "ada") as ada:
        jobs = [asyncio.create_task(watch.follow())]
        jobs += [asyncio.create_task(town.live(RATE / 2, until_s=float("inf"))) for town in towns]
        try:
            # Real time between the faults: queries have to go on under each of them.
            await asyncio.sleep(5)  # load between two events
            took_s = await promoted_everywhere(all_of_it, several)
            await asyncio.to_thread(kill_a_replica, all_of_it)
            await asyncio.sleep(5)  # load between two events
            await asyncio.to_thread(restart, all_of_it)
            await asyncio.sleep(5)  # load between two events
            title = await retrained_while_a_node_dies(all_of_it, ada)
            await asyncio.sleep(SOON_S)  # load after the last event
            assert not any(job.done() for job in jobs), [job.exception() for job in jobs if job.done()]
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
    ended_s = watch.now_s()
    rows = await settled(towns, database)
    asked = sum(len(town.asks) for town in towns)
    by = {one: await answered(several, one) for one in ("service", "fallback")}
    seen = [f"{asked} asked in {ended_s:.0f} s, by {by}; everywhere after {took_s:.1f} s; {title}"]
    for town in towns:
        mine = [row for row in rows if row.prediction_id in town.masks]
        lives = [Life(bot.process.pid, 0.0, 0.0) for bot in several.running]
        told = [
            *judging.answers(town.asks, town, lives, watch.reigns, lag_s=SOON_S),
            *judging.votes(town, mine),
        ]
        seen += [f"{line.number:7}  {line.name}  {line.note}" for line in told]
        bad = [line for line in told if line.number and (line.is_bad or line.name.startswith("told"))]
        assert not bad, bad
        assert len([ask for ask in town.asks if ask.version]) == len(town.asks)
    sys.stdout.write("\n".join(["", *seen, ""]))
    known = {prediction_id for town in towns for prediction_id in town.masks}
    assert {row.prediction_id for row in rows} <= known | earlier
    assert by["service"] > by["fallback"]
    assert all(bot.process.returncode is None for bot in several.running)
    assert await asyncio.to_thread(all_of_it.champion) == watch.reigns[-1].version


async def promoted_everywhere(all_of_it: Everything, several: Bots) -> float:
    """Promote the other version; returns how many seconds it took every process to serve it."""
    before = await asyncio.to_thread(all_of_it.champion)
    version = next(one for one in ("v0002", "v0001") if one != before)
    await asyncio.to_thread(all_of_it.registry.promote, version)
    return await all_serve(several, version)


def kill_a_replica(all_of_it: Everything) -> None:
    os.kill(all_of_it.service.replicas()[0]["pid"], signal.SIGKILL)


def restart(all_of_it: Everything) -> None:
    """The database crashes, and comes back."""
    all_of_it.postgres.stop("immediate")
    all_of_it.postgres.start()


async def retrained_while_a_node_dies(all_of_it: Everything, ada: Person) -> str:
    """Returns the title of what the run came to."""
    cluster = all_of_it.nodes.cluster
    node = next(one for one in cluster.list_all_nodes() if one is not cluster.head_node)
    before = {one["actor_id"] for one in await asyncio.to_thread(all_of_it.nodes.workers)}

    async def new_workers() -> list[Json]:
        found = await asyncio.to_thread(all_of_it.nodes.workers)
        return [one for one in found if one["actor_id"] not in before]

    async def are_on_both() -> bool:
        places = [one["node_id"] for one in await new_workers() if one["state"] == "ALIVE"]
        return len(places) == len(set(places)) == 2

    message = await command(ada, "!retrain")
    await eventually(are_on_both, timeout_s=RUN_S)
    await asyncio.to_thread(cluster.remove_node, node, allow_graceful=False)
    verdict = await verdict_of(ada, message, timeout_s=RUN_S)
    title: str = verdict["title"]
    assert title.endswith(("was promoted", "was not promoted")), verdict
    assert len(await new_workers()) == 4, "both began again"
    return title


async def stored(database: Database) -> list[StoredRow]:
    """The votes table."""
    columns = (
        votes.c.prediction_id,
        votes.c.voter_id,
        votes.c.mask_index,
        votes.c.word,
        votes.c.value,
        votes.c.via,
    )
    async with database.read() as connection:
        rows = await connection.execute(select(*columns).order_by(votes.c.mask_index))
        return [StoredRow(*row) for row in rows]


async def settled(towns: Sequence[Town], database: Database) -> list[StoredRow]:
    """What is stored once nothing is due any more."""
    for town in towns:
        await town.settled(within_s=SETTLE_S)
    ends = time.monotonic() + SETTLE_S
    while True:
        rows = await stored(database)
        differing = [
            judging.differing(town, [row for row in rows if row.prediction_id in town.masks])
            for town in towns
        ]
        if not any(differing) or time.monotonic() > ends:
            return rows
        await asyncio.sleep(1)  # polled, up to a time
