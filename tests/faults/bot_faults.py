"""`kill -9` of the bot, at any instant and when it hurts most."""

import asyncio
import contextlib
import os
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from faults.supervised import Supervised, supervised
from faults.team import Team, team
from faults.trials import STARTS_AGAIN_S, Found, fault
from support.people import Person
from support.wire import eventually

from bot.sandbox.server import Sandbox
from training.registry.versions import Registry

Moment = Callable[[Team, Supervised, random.Random], Awaitable[None]]


async def _killed(chance: random.Random, home: Path, until: Moment) -> Found:
    """Kill the bot at a moment, while people go on, and see that nothing is lost when it is back."""
    async with Sandbox() as sandbox, supervised(home, sandbox) as bot, team(sandbox, chance) as people:
        await people.until_answered(people.people[0])
        async with people.busy():
            await until(people, bot, chance)
            killed_at = bot.kill()
            await people.until_answered(people.people[0])
            recovery_s = time.monotonic() - killed_at
            await asyncio.sleep(chance.uniform(0, 1))  # people go on for a while after it is back
        return Found(
            lost_votes=await people.lost_votes(home),
            half_promoted=await _half_promoted(home),
            wrong_answers=people.wrong + people.twice_answered(),
            recovery_s=recovery_s,
        )


async def _half_promoted(home: Path) -> int:
    """What serves is whole, and no run is open for ever."""

    async def open_runs() -> int:
        with contextlib.closing(sqlite3.connect(home / "fillbot.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            (count,) = connection.execute("SELECT count(*) FROM runs WHERE status = 'open'").fetchone()
        return int(count)

    assert await open_runs() <= 1

    async def none_is_open() -> bool:
        return not await open_runs()

    with contextlib.suppress(TimeoutError):
        await eventually(none_is_open)
    registry = Registry(home / "models")
    champion = registry.champion()
    assert champion is not None
    registry.verify(champion)
    return await open_runs()


@fault("bot killed at any instant", group="process", times=20, limit_s=STARTS_AGAIN_S, is_quick=False)
async def bot_killed_at_any_instant(chance: random.Random, home: Path) -> Found:
    """Wherever it is."""

    async def moment(_people: Team, _bot: Supervised, chance: random.Random) -> None:
        await asyncio.sleep(chance.uniform(0, 2))  # the instant is random, whatever the bot does then

    return await _killed(chance, home, moment)


@fault("bot killed at a reply", group="process", times=12, limit_s=STARTS_AGAIN_S, is_quick=False)
async def bot_killed_at_a_reply(chance: random.Random, home: Path) -> Found:
    """Its reply is there, and maybe not yet known to be the reply of that query."""

    async def moment(people: Team, _bot: Supervised, chance: random.Random) -> None:
        await people.ask(people.people[1])
        await asyncio.sleep(chance.uniform(0, 0.02))  # at a random instant of what follows

    return await _killed(chance, home, moment)


@fault("bot killed at a vote", group="process", times=12, limit_s=STARTS_AGAIN_S, is_quick=False)
async def bot_killed_at_a_vote(chance: random.Random, home: Path) -> Found:
    """A thumb has just been given, or a choice in a menu confirmed."""

    async def moment(people: Team, _bot: Supervised, chance: random.Random) -> None:
        async with Person(people.sandbox.url, "owner") as owner:
            if chance.random() < 0.5:
                await people.choose(owner, people.replies[-1])
            else:
                await owner.react(people.replies[-1], "👍")
                await asyncio.sleep(chance.uniform(0, 0.02))  # at a random instant of what follows

    return await _killed(chance, home, moment)


@fault("bot killed while it reloads", group="process", times=10, limit_s=STARTS_AGAIN_S, is_quick=False)
async def bot_killed_while_it_reloads(chance: random.Random, home: Path) -> Found:
    """Another version has just become champion."""

    async def moment(_people: Team, bot: Supervised, chance: random.Random) -> None:
        Registry(bot.home / "models").promote("v0002")
        await asyncio.sleep(chance.uniform(0, 2.5))  # at a random instant of the reload: it takes 2 s

    return await _killed(chance, home, moment)


@fault("bot killed during a run", group="process", times=10, limit_s=STARTS_AGAIN_S, is_quick=False)
async def bot_killed_during_a_run(chance: random.Random, home: Path) -> Found:
    """The run ends, too, and what it has done so far is settled."""
    runs: list[int] = []

    async def moment(people: Team, bot: Supervised, chance: random.Random) -> None:
        async with Person(people.sandbox.url, "owner") as owner:
            await owner.say(people.sandbox.channel_id, "!retrain")

        async def is_there() -> bool:
            runs[:] = bot.children
            return bool(runs)

        await eventually(is_there)
        await asyncio.sleep(chance.uniform(0, 12))  # at a random instant of the run: it takes 12 s

    found = await _killed(chance, home, moment)

    async def is_gone() -> bool:
        return not any(_is_alive(number) for number in runs)

    await eventually(is_gone)
    return found


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
