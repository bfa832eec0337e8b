"""Trouble between Discord and the bot, on the gateway."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from faults.hosted import hosted
from faults.scene import Scene, scene
from faults.trials import Found, fault
from support.sandbox_faults import faults_of
from support.wire import Wire

from bot.sandbox.server import Sandbox

RESUMABLE = (1001, 1006, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009)
AWAY = timedelta(minutes=30)
SPED_UP = 100  # how much faster the bot's clock runs while Discord is away


@contextlib.asynccontextmanager
async def prepared(
    chance: random.Random, home: Path, sandbox: Sandbox | None = None
) -> AsyncIterator[tuple[Scene, Wire]]:
    """A bot that answers, and people with replies to vote on."""
    async with sandbox or Sandbox() as server, scene(server, chance) as people, hosted(home, server) as wire:
        await people.prepare(wire)
        yield people, wire


@fault("gateway closed at any event", group="wire", times=60)
async def closed_at_any_event(chance: random.Random, home: Path) -> Found:
    """The socket closes before or after one of the next events, with a code that lets a client return."""
    async with prepared(chance, home) as (people, wire):
        closed = close_at(people.sandbox, chance.randrange(20), code=chance.choice(RESUMABLE), chance=chance)
        await people.act_often(12)
        if not closed.is_set():
            faults_of(people.sandbox).drop_gateway(4000)
        return await people.stands_again(wire, time.monotonic())


def close_at(sandbox: Sandbox, number: int, *, code: int, chance: random.Random) -> asyncio.Event:
    """Close the bot's socket at the event of that number from now on."""
    faults, count, closed = faults_of(sandbox), itertools.count(), asyncio.Event()
    sent, is_before = faults.for_event, chance.random() < 0.5

    def for_event(name: str, body: dict[str, object]) -> list[tuple[float, str, dict[str, object]]]:
        if next(count) == number:
            closed.set()
            if is_before:
                faults.drop_gateway(code)
            else:
                asyncio.get_running_loop().call_soon(faults.drop_gateway, code)
        return sent(name, body)

    faults.for_event = for_event  # type: ignore[method-assign]
    return closed


@fault("session invalid", group="wire", times=15, is_quick=False)
async def session_invalid(chance: random.Random, home: Path) -> Found:
    """The session is gone: what happened since is not told again."""
    async with prepared(chance, home) as (people, wire):
        await people.act_often(chance.randrange(6))
        faults_of(people.sandbox).invalidate_sessions()
        return await happens_unheard(people, wire)


@fault("closed and not resumable", group="wire", times=15, is_quick=False)
async def not_resumable(chance: random.Random, home: Path) -> Found:
    """Discord kept too little of what was missed."""
    async with prepared(chance, home) as (people, wire):
        faults_of(people.sandbox).drop_gateway(4000)
        faults_of(people.sandbox).forget_sessions()
        return await happens_unheard(people, wire)


async def happens_unheard(people: Scene, wire: Wire) -> Found:
    """People go on, and nobody tells the bot."""
    ended_at = time.monotonic()
    await people.act_often(8)
    return await people.stands_again(wire, ended_at, due=False)


@fault("asked to reconnect", group="wire", times=10)
async def asked_to_reconnect(chance: random.Random, home: Path) -> Found:
    """As before a deployment of Discord's."""
    async with prepared(chance, home) as (people, wire):
        await people.act_often(chance.randrange(6))
        faults_of(people.sandbox).ask_to_reconnect()
        await people.act_often(8)
        return await people.stands_again(wire, time.monotonic())


@fault("heartbeats lost", group="wire", times=5, is_quick=False)
async def heartbeats_lost(chance: random.Random, home: Path) -> Found:
    """No heartbeat is acknowledged, and nothing else comes either."""
    return await gone_silent(chance, home, stop_acks)


def stop_acks(sandbox: Sandbox) -> None:
    """Nor is anything else told."""
    faults_of(sandbox).stop_heartbeat_acks()
    faults_of(sandbox).lose_next_event(times=10_000)


@fault("socket half closed", group="wire", times=5)
async def half_closed(chance: random.Random, home: Path) -> Found:
    """The socket stays open, and nothing comes any more: only the missing heartbeats tell."""
    return await gone_silent(chance, home, lambda sandbox: faults_of(sandbox).silence_gateway())


async def gone_silent(chance: random.Random, home: Path, silence: Callable[[Sandbox], None]) -> Found:
    """Heartbeats every 0.3 s, missed for 2 s; on Discord it is every 41 s and a minute."""
    async with prepared(chance, home, Sandbox(heartbeat_interval_ms=300)) as (people, wire):
        socket = wire.app.bot.ws
        socket._max_heartbeat_timeout = 2.0
        await people.act_often(2)
        silence(people.sandbox)
        await people.act_often(8)
        while wire.app.bot.ws is socket:  # noqa: ASYNC110  discord.py tells nobody
            await asyncio.sleep(0.01)
        faults_of(people.sandbox).clear()
        return await people.stands_again(wire, time.monotonic(), due=False)


@fault("events twice, late, or out of order", group="wire", times=40)
async def events_in_disorder(chance: random.Random, home: Path) -> Found:
    """What came out of order is set right by the next look at the numbers, every second here."""
    with patch("bot.voting.reconcile.EVERY_S", 1.0):
        async with prepared(chance, home) as (people, wire):
            faults = faults_of(people.sandbox)
            for _ in range(4):
                name = chance.choice(("MESSAGE_CREATE", "REACTION_ADD", "REACTION_REMOVE", "REACTION"))
                kind = chance.randrange(3)
                if kind == 0:
                    faults.duplicate_next_event(name, times=chance.randint(1, 4))
                elif kind == 1:
                    faults.delay_next_event(
                        name, delay_s=chance.uniform(0.05, 0.8), times=chance.randint(1, 4)
                    )
                else:
                    faults.swap_next_events(name)
                await people.act_often(4)
            faults.clear()
            return await people.stands_again(wire, time.monotonic())


@fault("events lost", group="wire", times=15, is_quick=False)
async def events_lost(chance: random.Random, home: Path) -> Found:
    """Without any sign of it; the next look at the numbers finds them, every second here."""
    with patch("bot.voting.reconcile.EVERY_S", 1.0):
        async with prepared(chance, home) as (people, wire):
            faults_of(people.sandbox).lose_next_event("REACTION", times=chance.randint(1, 5))
            await people.act_often(10)
            faults_of(people.sandbox).clear()
            return await people.stands_again(wire, time.monotonic())


@fault("half an hour away", group="wire", times=4, is_quick=False)
async def half_an_hour_away(chance: random.Random, home: Path) -> Found:
    """Discord refuses everything for 30 minutes; the bot waits between its tries a hundredth of that."""
    late = timedelta()
    async with prepared(chance, home, Sandbox(now=lambda: datetime.now(UTC) + late)) as (people, wire):
        sleep = asyncio.sleep

        async def sooner(delay_s: float, result: object = None) -> None:
            await sleep(delay_s / SPED_UP)

        with patch("discord.client.asyncio.sleep", sooner):
            faults_of(people.sandbox).go_down()
            for _ in range(8):
                await people.act_often(2)
                await sleep(AWAY.total_seconds() / SPED_UP / 8)  # Discord is away for a real time
        late = AWAY
        # The try that is under way has waited long enough, or has to wait as long as it would have.
        faults_of(people.sandbox).clear()
        return await people.stands_again(wire, time.monotonic(), due=False)
