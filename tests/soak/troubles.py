"""One kind of trouble a minute: each is a coroutine that makes it and returns when it is over."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from soak.supervisor import Supervised
from support.sandbox_faults import Faults

MESSAGES = r"^/channels/\d+/messages"
TOLD = "MESSAGE_CREATE|MESSAGE_REACTION|INTERACTION"
DISORDER_S = 3.0


@dataclass(frozen=True, slots=True)
class Victim:
    """What trouble is made for."""

    faults: Faults
    bot: Supervised
    database: Path


Trouble = Callable[[Victim, random.Random], Awaitable[None]]


async def drop_gateway(victim: Victim, chance: random.Random) -> None:
    victim.faults.drop_gateway(chance.choice((1000, 1001, 4000, 4007, 4009)))


async def invalidate(victim: Victim, _chance: random.Random) -> None:
    victim.faults.invalidate_sessions()


async def ask_to_reconnect(victim: Victim, _chance: random.Random) -> None:
    victim.faults.ask_to_reconnect()


async def rate_limit(victim: Victim, chance: random.Random) -> None:
    wait_s = chance.uniform(1, 5)
    victim.faults.rate_limit("POST", MESSAGES, times=4, retry_after_s=wait_s, is_global=chance.random() < 0.5)
    await asyncio.sleep(wait_s)  # the bot was told to wait this long


async def fail(victim: Victim, chance: random.Random) -> None:
    victim.faults.fail("*", "", status=chance.choice((500, 502)), times=None)
    await asyncio.sleep(chance.uniform(2, 4))  # how long the trouble lasts


async def slow(victim: Victim, chance: random.Random) -> None:
    victim.faults.delay("*", "", delay_s=chance.uniform(0.3, 1.0), times=None)
    await asyncio.sleep(5)  # how long the trouble lasts


async def duplicate(victim: Victim, _chance: random.Random) -> None:
    victim.faults.duplicate_next_event("MESSAGE_REACTION|INTERACTION", times=40)
    await asyncio.sleep(DISORDER_S)  # how long the trouble lasts


async def delay(victim: Victim, chance: random.Random) -> None:
    victim.faults.delay_next_event(TOLD, delay_s=chance.uniform(0.5, 2.5), times=40)
    await asyncio.sleep(DISORDER_S)  # how long the trouble lasts


async def swap(victim: Victim, _chance: random.Random) -> None:
    for _ in range(20):
        victim.faults.swap_next_events(TOLD)
        await asyncio.sleep(DISORDER_S / 20)  # spread over as long as the others


async def lose(victim: Victim, _chance: random.Random) -> None:
    """Events are lost with a session: a new one begins after it, and the bot is told."""
    victim.faults.lose_next_event(TOLD, times=100)
    await asyncio.sleep(1.5)  # how long the trouble lasts
    victim.faults.clear()
    victim.faults.invalidate_sessions()


async def go_down(victim: Victim, _chance: random.Random) -> None:
    victim.faults.go_down()
    await asyncio.sleep(10)  # how long the trouble lasts


async def lock_database(victim: Victim, _chance: random.Random) -> None:
    with closing(sqlite3.connect(victim.database, isolation_level=None, timeout=5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(3)  # how long the trouble lasts
        connection.execute("ROLLBACK")


async def kill(victim: Victim, _chance: random.Random) -> None:
    await victim.bot.kill()


KILL = "kill -9"
TROUBLES: dict[str, Trouble] = {
    "gateway dropped": drop_gateway,
    "session invalidated": invalidate,
    "RECONNECT asked": ask_to_reconnect,
    "REST 429": rate_limit,
    "REST 500s": fail,
    "slow REST": slow,
    "events twice": duplicate,
    "events late": delay,
    "events swapped": swap,
    "events lost": lose,
    "Discord down for 10 s": go_down,
    "database locked for 3 s": lock_database,
    KILL: kill,
}


def dealt(chance: random.Random, names: list[str]) -> Iterator[str]:
    """The names for ever, shuffled as cards are: each comes up before one does again."""
    while True:
        yield from chance.sample(names, len(names))


@dataclass(frozen=True, slots=True)
class Made:
    """Trouble that was made, in seconds of the run."""

    name: str
    from_s: float
    until_s: float


async def make(name: str, victim: Victim, chance: random.Random) -> Made:
    """Make trouble, and leave none behind."""
    from_s = victim.bot.now_s()
    try:
        await TROUBLES[name](victim, chance)
    finally:
        victim.faults.clear()
    return Made(name, from_s, victim.bot.now_s())
