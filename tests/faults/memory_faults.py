"""Too little memory: for training, and for all who ask at once."""

import asyncio
import random
import time
from pathlib import Path

from faults.killed_runs import begun, fork, found_after_kill
from faults.supervised import supervised
from faults.team import team
from faults.trials import Found, fault
from support.people import Person
from support.sandbox_world import add_person

from bot.sandbox.server import Sandbox
from storage import runs
from training.errors import OutOfMemoryError

ROWS = 64  # of the largest batch, about
ASKERS, ASKS = 60, 8
MOST_MIB = 200  # more than before the storm


@fault("out of memory on the GPU", group="memory", times=10, limit_s=30, is_quick=False)
async def out_of_gpu_memory(chance: random.Random, home: Path) -> Found:
    """The GPU has room for fewer rows than a batch has: it learns in pieces, or fails when none fits."""
    return await _short_of_memory(home, rows=chance.choice((0, chance.randint(1, ROWS))))


@fault("out of memory on the CPU", group="memory", times=12, limit_s=30, is_quick=False)
async def out_of_memory(chance: random.Random, home: Path) -> Found:
    """This machine gives so much memory and no more, for real."""
    return await _short_of_memory(home, is_large=True, memory_mib=chance.randint(0, 400))


async def _short_of_memory(
    home: Path, *, rows: int | None = None, is_large: bool = False, memory_mib: int | None = None
) -> Found:
    """A run with too little memory ends well, or says why not; either way the next one does."""
    async with begun(home) as voting:
        async with voting.going_on():
            ended = await fork(home, rows=rows, is_large=is_large, memory_mib=memory_mib)
        ended_at = time.monotonic()
        run = await runs.latest(voting.database)
        assert run is not None
        if rows is not None:
            assert (run.status == "promoted") == (rows > 0), (rows, run)
        if ended["code"] and run.status == "failed":
            assert run.reason == str(OutOfMemoryError()), run.verdict
        return await found_after_kill(home, voting, killed_at=ended_at, command="night")


@fault("query storm", group="memory", times=5, is_quick=False)
async def query_storm(chance: random.Random, home: Path) -> Found:
    """Far more people ask at once than can be answered; one of them votes meanwhile."""
    async with (
        Sandbox() as sandbox,
        supervised(home, sandbox) as bot,
        team(sandbox, chance, ("ada",)) as people,
    ):
        (ada,) = people.people
        for number in range(ASKERS):
            add_person(sandbox, f"asker-{number}", guild_id=sandbox.guild_id)
        reply = await people.until_answered(ada)
        before_mib = bot.peak_mib

        async def ask(number: int) -> None:
            async with Person(sandbox.url, f"asker-{number}") as person:
                for again in range(ASKS):
                    await person.say(sandbox.channel_id, f"!fill Shoes {number} are very [MASK] {again}")

        storm = asyncio.gather(*(ask(number) for number in range(ASKERS)))
        await ada.react(reply, "👍")
        await storm
        ended_at = time.monotonic()
        await people.until_answered(ada)
        recovery_s = time.monotonic() - ended_at
        lost = await people.lost_votes(home)
        assert bot.peak_mib < before_mib + MOST_MIB, (before_mib, bot.peak_mib)
        return Found(
            lost_votes=lost,
            wrong_answers=await _untold(sandbox, since_id=int(reply["id"])),
            recovery_s=recovery_s,
        )


async def _untold(sandbox: Sandbox, *, since_id: int) -> int:
    """Queries that got neither an answer nor a word that the bot is busy, a while after the storm."""

    def untold() -> int:
        history = sandbox.world.messages[sandbox.channel_id].values()
        messages = [one for one in history if one.id > since_id]
        asked = sum(one.content.startswith("!fill") and not one.author.is_bot for one in messages)
        replied = sum(one.author.is_bot and one.reference is not None for one in messages)
        together = [one.content for one in messages if one.author.is_bot and one.reference is None]
        return asked - replied - sum(_first_number(text) for text in together)

    for _ in range(600):
        if untold() <= 0:
            break
        await asyncio.sleep(0.1)  # polled: the sandbox has no event for it
    return abs(untold())


def _first_number(text: str) -> int:
    return next((int(word) for word in text.replace("*", " ").split() if word.isdigit()), 0)
