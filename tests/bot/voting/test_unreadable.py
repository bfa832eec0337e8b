"""What discord.py cannot read is passed over by itself, and all the rest is reconciled."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from faults.hosted import hosted
from sqlalchemy import update
from structlog.testing import capture_logs
from support.people import Json, Person
from support.sandbox_world import add_person

import bot.sandbox.rest.channels
import bot.sandbox.rest.guilds
import bot.sandbox.rest.messages
import bot.sandbox.rest.reactions
from bot.sandbox.server import Sandbox
from storage.schema import predictions

pytestmark = pytest.mark.spoilt_answers
Spoil = Callable[[Json], object]


def without(key: str) -> Spoil:
    return lambda body: body.pop(key)


def having(key: str, value: object) -> Spoil:
    return lambda body: body.update({key: value})


MESSAGES = [without("type"), having("attachments", None), having("edited_timestamp", "now")]
MESSAGE_IDS = ["no type", "null attachments", "no time"]


class Spoiler:
    """Answers about some objects in shapes that discord.py does not know."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def spoil(self, module: Any, function: str, spoil: Spoil, *ids: str) -> None:
        real = getattr(module, function)

        def spoilt(*arguments: Any, **options: Any) -> Json:
            body: Json = dict(real(*arguments, **options))
            if body["id"] in ids:
                spoil(body)
            return body

        self._monkeypatch.setattr(module, function, spoilt)


@pytest.fixture
def spoiler(monkeypatch: pytest.MonkeyPatch) -> Spoiler:
    return Spoiler(monkeypatch)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def ann(sandbox: Sandbox) -> AsyncIterator[Person]:
    add_person(sandbox, "ann", guild_id=sandbox.guild_id)
    async with Person(sandbox.url, "ann") as person:
        yield person


async def two_asked(home: Path, sandbox: Sandbox, ann: Person) -> tuple[Json, Json]:
    async with hosted(home, sandbox) as wire:
        return await wire.ask(ann), await wire.ask(ann)


def told(logs: list[Any], event: str) -> list[Any]:
    return [line for line in logs if line["event"] == event]


@pytest.mark.parametrize("spoil", MESSAGES, ids=MESSAGE_IDS)
async def test_one_message_that_cannot_be_read_is_passed_over(
    home: Path, sandbox: Sandbox, ann: Person, spoiler: Spoiler, spoil: Spoil
) -> None:
    bad, good = await two_asked(home, sandbox, ann)
    await ann.react(bad, "👍")
    await ann.react(good, "👍")
    spoiler.spoil(bot.sandbox.rest.messages, "message_json", spoil, bad["id"])
    async with hosted(home, sandbox) as wire:
        with capture_logs() as logs:
            for _ in range(2):
                done = await wire.app.reconcile.reconcile(is_gap=True)
        await wire.until_votes(good, (ann, 1))
        assert await wire.votes(bad) == []
        assert (done.replies, done.deleted) == (2, 0)
    told_once = [line["message_id"] for line in told(logs, "reconcile.message_not_readable")]
    assert told_once in ([], [int(bad["id"])])  # the pass after the start may have told it before
    assert not told(logs, "reconcile.failed")


async def test_a_message_without_author_is_no_reply_and_hides_none(
    home: Path, sandbox: Sandbox, ann: Person, spoiler: Spoiler
) -> None:
    async with hosted(home, sandbox) as wire:
        bad, good = await wire.ask(ann), await wire.ask(ann)
        async with wire.app.database.write() as connection:  # as if the bot was killed before it noted them
            await connection.execute(update(predictions).values(message_id=None))
    await ann.react(good, "👍")
    spoiler.spoil(bot.sandbox.rest.messages, "message_json", without("author"), bad["id"])
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(good, (ann, 1))


async def test_a_vote_that_is_stored_stays_where_its_message_cannot_be_read(
    home: Path, sandbox: Sandbox, ann: Person, spoiler: Spoiler
) -> None:
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
    await ann.unreact(reply, "👍")
    spoiler.spoil(bot.sandbox.rest.messages, "message_json", without("type"), reply["id"])
    async with hosted(home, sandbox) as wire:
        assert (await wire.app.reconcile.reconcile(is_gap=True)).deleted == 0
        await wire.until_votes(reply, (ann, 1))


async def test_a_page_of_people_that_cannot_be_read_changes_no_vote_under_its_message(
    home: Path, sandbox: Sandbox, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is on it is not known: nobody's vote may be taken for withdrawn."""
    add_person(sandbox, "bob", guild_id=sandbox.guild_id)
    async with contextlib.AsyncExitStack() as stack:
        bob = await stack.enter_async_context(Person(sandbox.url, "bob"))
        async with hosted(home, sandbox) as wire:
            bad, good = await wire.ask(ann), await wire.ask(ann)
            await ann.react(bad, "👍")
            await wire.until_votes(bad, (ann, 1))
        await bob.react(bad, "👍")
        await ann.react(good, "👍")
        real = bot.sandbox.rest.reactions.user_json
        monkeypatch.setattr(
            bot.sandbox.rest.reactions,
            "user_json",
            lambda user: real(user) if user.id != bob.id else {"username": "bob"},
        )
        async with hosted(home, sandbox) as wire:
            await wire.app.reconcile.reconcile(is_gap=True)
            await wire.until_votes(good, (ann, 1))
            await wire.until_votes(bad, (ann, 1))


async def test_a_channel_whose_answer_is_no_list_is_passed_over(
    home: Path, sandbox: Sandbox, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(home, sandbox) as wire:
        direct = await ann.direct_channel_id(sandbox.bot_user_id)
        good, bad = await wire.ask(ann), await wire.ask(ann, channel_id=direct)
    await ann.react(good, "👍")
    await ann.react(bad, "👍")
    real = bot.sandbox.rest.messages.message_json

    def spoilt(world: Any, message: Any, user_id: int) -> Any:
        return "?" if message.channel_id == direct else real(world, message, user_id)

    monkeypatch.setattr(bot.sandbox.rest.messages, "message_json", spoilt)
    async with hosted(home, sandbox) as wire:
        with capture_logs() as logs:
            await wire.app.reconcile.reconcile(is_gap=True)
        await wire.until_votes(good, (ann, 1))
    assert not told(logs, "reconcile.failed")


@pytest.mark.parametrize(
    "spoil", [having("type", 99), without("id"), without("name")], ids=["new", "id", "name"]
)
async def test_a_channel_that_cannot_be_read_does_not_hide_the_others(
    home: Path, sandbox: Sandbox, ann: Person, spoiler: Spoiler, spoil: Spoil
) -> None:
    """Of a server that another process hears: its channels are asked for."""
    async with hosted(home, sandbox) as wire:
        access = wire.app.bot.access
        access._is_here = lambda _guild_id: False
        wire.app.bot._connection._guilds.clear()
        spoiler.spoil(bot.sandbox.rest.guilds, "channel_json", spoil, str(sandbox.reports_channel_id))
        user = await wire.app.bot.fetch_user(ann.id)
        (member,) = await access.memberships(user, with_channels=True)
        found = {channel.id for channel in member.guild.channels}
        assert sandbox.channel_id in found
        assert sandbox.reports_channel_id not in found
