"""A running bot in this process, and people who talk to it over real HTTP and WebSocket."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import time
from pathlib import Path
from typing import Any, TypeVar

import discord
from sqlalchemy import select
from support.ballots import votes_on_message
from support.databases import TEMPLATE, url_of_home
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_person

from bot.app import App, open_app
from bot.sandbox.server import Sandbox
from bot.settings import Settings
from storage.schema import candidates, predictions
from training.inference.fill_model import FillModel

T = TypeVar("T")
QUERY = "Nike shoes are very [MASK]"
THUMBS = ["👍", "👎"]
Pretend = Callable[..., None]
LOADING = 1 << 7
EPHEMERAL = 1 << 6
_numbers = itertools.count(1)


class Wire:
    """A running app and its sandbox."""

    def __init__(self, app: App, sandbox: Sandbox | None = None) -> None:
        """`sandbox` where the bot takes one that is not its own for Discord."""
        sandbox = sandbox or app.endpoint.sandbox
        assert sandbox is not None
        self.app, self.sandbox = app, sandbox
        self.channel_id = self.sandbox.channel_id

    @contextlib.asynccontextmanager
    async def member(self) -> AsyncIterator[Person]:
        """Somebody new in the guild, with no cooldown and no votes behind them."""
        user = add_person(self.sandbox, f"member-{next(_numbers)}", guild_id=self.sandbox.guild_id)
        async with Person(self.sandbox.url, user.name) as person:
            yield person

    @contextlib.asynccontextmanager
    async def person(self, name: str) -> AsyncIterator[Person]:
        """Somebody who is there from the start: ada, ben, cleo, owner."""
        async with Person(self.sandbox.url, name) as person:
            yield person

    async def say(self, person: Person, text: str, *, channel_id: int | None = None) -> Json:
        """Post a message and return the bot's reply to it."""
        since = person.mark()
        message = await person.say(channel_id or self.channel_id, text)

        def is_reply(body: Json) -> bool:
            return (body.get("message_reference") or {}).get("message_id") == message["id"]

        return await person.wait_for_event("MESSAGE_CREATE", predicate=is_reply, since=since)

    async def slash(
        self, person: Person, name: str, *, channel_id: int | None = None, **options: Any
    ) -> Json:
        """Use a slash command and return the bot's reply to it."""
        since = person.mark()
        await person.slash(channel_id or self.channel_id, name, **options)
        return await self._answer_to(person, since)

    async def use_on(self, person: Person, message: Json, name: str) -> Json:
        """Use a message command and return the bot's reply to it."""
        since = person.mark()
        await person.use_on(message, name)
        return await self._answer_to(person, since)

    async def _answer_to(self, person: Person, since: int) -> Json:
        def is_reply(body: Json) -> bool:
            asker = body.get("interaction_metadata", {}).get("user", {}).get("id")
            return asker == str(person.id) and not body["flags"] & LOADING

        return await person.wait_for_message(is_reply, since=since)

    async def ask(self, person: Person, query: str = QUERY, *, channel_id: int | None = None) -> Json:
        """Ask, and return the reply once both thumbs are under it and it can be voted on."""
        reply = await self.say(person, f"!fill {query}", channel_id=channel_id)
        assert reply["embeds"], reply["content"]
        await self.seeded(person, reply)
        return reply

    async def seeded(self, person: Person, reply: Json) -> None:
        """Wait until the bot has offered both thumbs."""
        for thumb in THUMBS:
            await person.wait_for_event(
                "MESSAGE_REACTION_ADD",
                predicate=lambda body, thumb=thumb: (
                    body["message_id"] == reply["id"]
                    and body["user_id"] == str(self.sandbox.bot_user_id)
                    and body["emoji"]["name"] == thumb
                ),
            )

    async def row(self, reply: Json) -> dict[str, Any]:
        """The stored prediction of a reply, with its candidates."""

        async def find() -> dict[str, Any] | None:
            async with self.app.database.read() as connection:
                found = await connection.execute(
                    select(predictions).where(predictions.c.message_id == int(reply["id"]))
                )
                row = found.mappings().one_or_none()
                if row is None:
                    return None
                offered = await connection.execute(
                    select(candidates)
                    .where(candidates.c.prediction_id == row["id"])
                    .order_by(candidates.c.mask_index, candidates.c.rank)
                )
                return {**row, "candidates": [dict(one) for one in offered.mappings()]}

        return await eventually(find)

    async def votes(self, reply: Json) -> list[tuple[int, str, int, int]]:
        """The votes that stand on a reply: (mask, word, voter, value), sorted."""
        votes = await votes_on_message(self.app.database, int(reply["id"]))
        return sorted((v.mask_index, v.word, v.voter_id, v.value) for v in votes)

    async def direct_file(self, person: Person, since: int) -> Json:
        """The next direct message from the bot that has a file."""
        channel_id = await person.direct_channel_id(self.sandbox.bot_user_id)
        return await person.wait_for_event(
            "MESSAGE_CREATE",
            predicate=lambda body: (
                body["channel_id"] == str(channel_id)
                and body["author"]["id"] == str(self.sandbox.bot_user_id)
                and bool(body["attachments"])
            ),
            since=since,
        )

    async def by_bot(self, person: Person, *, since: int) -> list[Json]:
        """What a person has read from the bot since a mark."""
        told = [body for name, body in person.events[since:] if name == "MESSAGE_CREATE"]
        return [body for body in told if body["author"]["id"] == str(self.sandbox.bot_user_id)]

    async def until_votes(self, reply: Json, *expected: tuple[Person, int]) -> None:
        """Wait until exactly these people's votes stand on the top word of each mask."""
        row = await self.row(reply)
        tops = [(c["mask_index"], c["word"]) for c in row["candidates"] if c["rank"] == 0]
        wanted = sorted((mask, word, who.id, value) for mask, word in tops for who, value in expected)

        async def stands() -> bool:
            return await self.votes(reply) == wanted

        try:
            await eventually(stands)
        except TimeoutError:
            assert await self.votes(reply) == wanted


async def voted(wire: Wire, person: Person, query: str, thumb: str = "👍", **where: int) -> Json:
    """A reply that a person asked for and voted on."""
    reply = await wire.ask(person, query, **where)
    await person.react(reply, thumb)
    await wire.until_votes(reply, (person, 1 if thumb == "👍" else -1))
    return reply


class Gate:
    """A file that a pretended training process waits for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.wait = f"while not os.path.exists({str(path)!r}): time.sleep(0.01)"

    def open(self) -> None:
        self._path.touch()


@contextlib.asynccontextmanager
async def wired(home: Path, **settings: Any) -> AsyncIterator[Wire]:
    """The app on this home."""
    with untouched_discord():
        async with open_app(settings_for(home, **settings)) as app:
            if TEMPLATE and app.endpoint.sandbox is not None:
                await leads(app.endpoint.sandbox)
            yield Wire(app)


async def leads(sandbox: Sandbox) -> None:
    """Wait until the app leads: where others may share the database, it is elected a moment later."""

    async def are_known() -> bool:
        return bool(sandbox.world.commands)

    await eventually(are_known)
    await asyncio.sleep(0.2)  # nothing tells when it has looked for runs that were left open


@contextlib.contextmanager
def untouched_discord() -> Iterator[None]:
    """Point discord.py back at Discord afterwards: where it points is global to the process."""
    route, socket = discord.http.Route, discord.gateway.DiscordWebSocket
    before = route.BASE, socket.DEFAULT_GATEWAY
    try:
        yield
    finally:
        route.BASE, socket.DEFAULT_GATEWAY = before


def settings_for(home: Path, **settings: Any) -> Settings:
    """Settings of a test: nothing from a developer's own `.env`."""
    usual: dict[str, Any] = {"sandbox_port": 0, "sandbox_rate_limits": False, "nightly_at": time(3)}
    if TEMPLATE:
        usual["database_url"] = url_of_home(home)
    return Settings(_env_file=None, home=home, **{**usual, **settings})


FOREVER = "time.sleep(60)"  # of a pretended training process: it goes on until it is ended, or for a minute


def tells(**line: object) -> str:
    """A line of a pretended training process: it tells one JSON line."""
    return f"print(json.dumps({line!r}))"


async def until_met(sandbox: Sandbox, path: str = "", *, left: int = 0) -> None:
    """Wait until requests have met the faults injected for a path, all but `left` of them."""

    async def are_met() -> bool:
        pending = [one for one in faults_of(sandbox)._requests if path in one.path.pattern]
        return sum(one.times or 0 for one in pending) <= left

    await eventually(are_met)


async def eventually(find: Callable[[], Awaitable[T]], *, timeout_s: float = 45.0) -> Any:
    """Ask again and again until the answer is true; raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not (found := await find()):  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
    return found


def fields_of(reply: Json) -> dict[str, str]:
    """The fields of a reply's embed."""
    return {one["name"]: one["value"] for one in reply["embeds"][0]["fields"]}


def best_words(wire: Wire, version: str, text: str) -> list[str]:
    """A version's words for a text, best first."""
    model = FillModel(wire.app.registry.path(version))
    return [c.word for c in model.fill([text], top=100)[0][0]]
