"""Trouble between the bot and Discord's HTTP API, events nobody expects, and a long list to read back."""

import asyncio
import contextlib
import random
import time
from pathlib import Path

from faults.hosted import hosted
from faults.scene import Scene, scene
from faults.trials import Found, fault
from faults.wire_faults import prepared
from support.people import Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_person
from support.wire import THUMBS

from bot.sandbox.server import Sandbox

PATHS = ("/messages$", "/reactions/", "/messages")
REPLIES = 100
NETWORK_S = 0.12  # one request to Discord and back


@fault("429 with long waits", group="wire", times=12, is_quick=False)
async def rate_limited(chance: random.Random, home: Path) -> Found:
    """The fault ends when the longest wait that was asked for is over."""
    async with prepared(chance, home) as (people, wire):
        wait_s = chance.uniform(1.0, 3.0)
        faults_of(people.sandbox).rate_limit(
            chance.choice(("POST", "PUT", "*")),
            chance.choice(PATHS),
            times=chance.randint(1, 3),
            retry_after_s=wait_s,
            is_global=chance.random() < 0.3,
        )
        await people.act_often(8)
        await asyncio.sleep(wait_s)  # the bot was told to wait this long, in real time
        faults_of(people.sandbox).clear()
        return await people.stands_again(wire, time.monotonic())


@fault("500s", group="wire", times=12, is_quick=False)
async def server_errors(chance: random.Random, home: Path) -> Found:
    """Fewer than discord.py tries again: every question is answered in the end."""
    async with prepared(chance, home) as (people, wire):
        status = chance.choice((500, 502, 503, 504, 520))
        faults = faults_of(people.sandbox)
        faults.fail(chance.choice(("POST", "PUT")), chance.choice(PATHS), status=status, times=2)
        await people.act_often(8)
        return await people.stands_again(wire, time.monotonic(), due=status != 503 and status != 520)


@fault("requests slow or cut", group="wire", times=12, is_quick=False)
async def slow_or_cut(chance: random.Random, home: Path) -> Found:
    """A cut request may or may not have reached Discord: a question then may stay without an answer."""
    async with prepared(chance, home) as (people, wire):
        is_cut = chance.random() < 0.5
        if is_cut:
            faults_of(people.sandbox).cut(chance.choice(("PUT", "POST")), chance.choice(PATHS), times=2)
        else:
            faults_of(people.sandbox).delay("*", "/", delay_s=chance.uniform(0.2, 1.0), times=6)
        await people.act_often(8)
        faults_of(people.sandbox).clear()
        return await people.stands_again(wire, time.monotonic(), due=not is_cut)


MALFORMED = (
    ("MESSAGE_REACTION_ADD", {}),
    ("MESSAGE_REACTION_ADD", {"user_id": None, "channel_id": "x", "message_id": [], "emoji": 7}),
    ("MESSAGE_CREATE", {"id": "1", "content": None}),
    ("MESSAGE_CREATE", []),
    ("INTERACTION_CREATE", {"id": "abc", "type": 99}),
    ("GUILD_CREATE", {"id": None}),
    ("MESSAGE_DELETE_BULK", {"ids": "12"}),
    ("THREAD_CREATE", {"guild_id": "1"}),
    ("NOBODY_KNOWS_THIS", {"a": {"b": 1}}),
)


@fault("malformed event", group="wire", times=18, limit_s=30)
async def malformed_event(chance: random.Random, home: Path) -> Found:
    """Where it ends the client, the bot is started anew, as by its supervisor."""
    async with Sandbox() as sandbox, scene(sandbox, chance) as people:
        async with hosted(home, sandbox) as wire:
            await people.prepare(wire)
            await people.act_often(3)
            faults_of(sandbox).send_event(*chance.choice(MALFORMED))  # type: ignore[arg-type]
            ended_at = time.monotonic()
            await people.act_often(3)
            await asyncio.wait([wire.app.connection], timeout=0.3)
            if not wire.app.connection.done():
                return await people.stands_again(wire, ended_at)
        async with hosted(home, sandbox) as wire:
            return await people.stands_again(wire, ended_at, due=False)


@fault("a hundred replies changed while away", group="wire", times=2, limit_s=60, is_quick=False)
async def a_hundred_changed(chance: random.Random, home: Path) -> Found:
    """Over a network that takes its time; the recovery is until the votes are exact."""
    async with Sandbox() as sandbox, scene(sandbox, chance) as people:
        async with hosted(home, sandbox) as wire, contextlib.AsyncExitStack() as stack:
            for _ in range(3):  # a person asks no more than twenty times in a while
                user = add_person(sandbox, f"asker-{len(people.people)}", guild_id=sandbox.guild_id)
                people.people.append(await stack.enter_async_context(Person(sandbox.url, user.name)))
            await ask_many(people)
        faults_of(sandbox).delay("*", "/", delay_s=NETWORK_S, times=None)
        for reply in people.replies:
            await chance.choice(people.people[:4]).react(reply, chance.choice(THUMBS))
        async with hosted(home, sandbox) as wire:
            started_at = time.monotonic()
            lost = await people.lost_votes(wire.app.database, within_s=90)
            recovery_s = time.monotonic() - started_at
        return Found(lost_votes=lost, recovery_s=recovery_s)


async def ask_many(people: Scene) -> None:
    """Have a hundred replies to vote on."""
    for number in range(REPLIES):
        person = people.people[number % len(people.people)]
        since = person.mark()
        asked = await person.say(people.sandbox.channel_id, "!fill shoes are [MASK]")
        people.replies.append(
            await person.wait_for_event(
                "MESSAGE_CREATE",
                predicate=lambda body, asked=asked: (
                    (body.get("message_reference") or {}).get("message_id") == asked["id"]
                ),
                since=since,
            )
        )
