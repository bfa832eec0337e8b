"""Thumbs that changed while the bot was away end in the database exactly; Discord outlives the bot here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults.hosted import hosted
from sqlalchemy import select, update
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_person
from support.wire import eventually, until_met

from bot.sandbox.messages.reactions import add_reaction
from bot.sandbox.server import Sandbox
from storage.people.forgetting import erase_person
from storage.schema import predictions, votes
from storage.votes.predictions import count_votes


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@contextlib.asynccontextmanager
async def member(sandbox: Sandbox, name: str) -> AsyncIterator[Person]:
    add_person(sandbox, name, guild_id=sandbox.guild_id)
    async with Person(sandbox.url, name) as person:
        yield person


@pytest.fixture
async def ann(sandbox: Sandbox) -> AsyncIterator[Person]:
    async with member(sandbox, "ann") as person:
        yield person


@pytest.fixture
async def bob(sandbox: Sandbox) -> AsyncIterator[Person]:
    async with member(sandbox, "bob") as person:
        yield person


async def asked(home: Path, sandbox: Sandbox, ann: Person, *, times: int = 1) -> list[Json]:
    """Replies of a bot that is gone afterwards."""
    async with hosted(home, sandbox) as wire:
        return [await wire.ask(ann) for _ in range(times)]


async def test_thumbs_given_while_the_bot_was_away_count(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    (reply,) = await asked(home, sandbox, ann)
    await ann.react(reply, "👍🏽")
    await bob.react(reply, "👎")
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(reply, (ann, 1), (bob, -1))


async def test_thumbs_changed_and_taken_back_while_the_bot_was_away_follow(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann, "[MASK] shoes are [MASK]")
        await ann.react(reply, "👍")
        await bob.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1), (bob, 1))
    await ann.unreact(reply, "👍")
    await bob.unreact(reply, "👍")
    await bob.react(reply, "👎")
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(reply, (bob, -1))


async def test_who_gives_both_thumbs_keeps_the_vote_that_is_stored(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        await bob.react(reply, "👎")
        await wire.until_votes(reply, (bob, -1))
    await bob.react(reply, "👍")
    await ann.react(reply, "👍")  # of whom nothing is stored
    await ann.react(reply, "👎")
    async with hosted(home, sandbox) as wire:
        assert (await wire.app.reconcile.reconcile(is_gap=True)).replies == 1
        await wire.until_votes(reply, (bob, -1))


async def test_who_gave_both_thumbs_unheard_counts_as_soon_as_one_is_taken_back(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    (reply,) = await asked(home, sandbox, ann)
    await bob.react(reply, "👍")
    await bob.react(reply, "👎")
    async with hosted(home, sandbox) as wire:
        assert (await wire.app.reconcile.reconcile(is_gap=True)).votes == 0
        await bob.unreact(reply, "👍")
        await wire.until_votes(reply, (bob, -1))


async def test_super_reactions_given_while_the_bot_was_away_count_by_themselves(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    (reply,) = await asked(home, sandbox, ann)
    await ann.react(reply, "👍🏽", is_super=True)
    await bob.react(reply, "👎")
    await bob.react(reply, "👎", is_super=True)
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(reply, (ann, 1), (bob, -1))
        assert (await wire.app.reconcile.reconcile(is_gap=False)).read == 0  # the numbers agree
        await bob.unreact(reply, "👎")
        await ann.unreact(reply, "👍🏽", is_super=True)
        await wire.until_votes(reply, (bob, -1))
        await bob.unreact(reply, "👎", is_super=True)
        await wire.until_votes(reply)


async def test_a_second_skin_tone_given_while_the_bot_was_away_keeps_the_vote(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        await bob.react(reply, "👍")
        await wire.until_votes(reply, (bob, 1))
    await bob.react(reply, "👍🏿")
    async with hosted(home, sandbox) as wire:
        assert (await wire.app.reconcile.reconcile(is_gap=True)).votes == 0
        assert (await wire.app.reconcile.reconcile(is_gap=False)).read == 0  # the numbers agree now
        await bob.unreact(reply, "👍")
        await ann.react(reply, "👎")
        await wire.until_votes(reply, (ann, -1), (bob, 1))
        await bob.unreact(reply, "👍🏿")
        await wire.until_votes(reply, (ann, -1))


async def test_one_thumb_for_another_is_seen_though_the_numbers_agree(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.voting.reconcile.ALWAYS_READ", 0)
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
    await ann.unreact(reply, "👍")
    await bob.react(reply, "👍")
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(reply, (bob, 1))


async def test_more_people_than_a_page_holds_are_read(home: Path, sandbox: Sandbox, ann: Person) -> None:
    (reply,) = await asked(home, sandbox, ann)
    everybody = [add_person(sandbox, f"fan-{i}", guild_id=sandbox.guild_id) for i in range(230)]
    async with contextlib.AsyncExitStack() as stack:
        fan = await stack.enter_async_context(Person(sandbox.url, everybody[0].name))
        path = f"/channels/{reply['channel_id']}/messages/{reply['id']}/reactions/%F0%9F%91%8D/@me"
        for one in everybody:
            await fan.request("PUT", path, headers={"Authorization": one.name})
    async with hosted(home, sandbox) as wire:

        async def all_in() -> bool:
            return await count_votes(wire.app.database) == 230

        await eventually(all_in)
        wanted = sorted(one.id for one in everybody)
        assert sorted(voter for _, _, voter, _ in await wire.votes(reply)) == wanted


async def test_other_bots_thumbs_are_no_votes(home: Path, sandbox: Sandbox, ann: Person) -> None:
    (reply,) = await asked(home, sandbox, ann)
    robot = add_person(sandbox, "robot", guild_id=sandbox.guild_id, is_bot=True)
    message = sandbox.world.messages[int(reply["channel_id"])][int(reply["id"])]
    add_reaction(sandbox.world, message, emoji="👍", user_id=robot.id)
    await ann.react(reply, "👎")
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(reply, (ann, -1))


async def test_votes_by_menu_are_left_alone(home: Path, sandbox: Sandbox, ann: Person, bob: Person) -> None:
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        word = (await wire.row(reply))["candidates"][0]["word"]
        since = bob.mark()
        await bob.select(reply, reply["components"][0]["components"][0]["custom_id"], [f"0:{word}"])
        await bob.wait_for_message(lambda body: bool(body["flags"] & (1 << 6)), since=since)
        before = await wire.votes(reply)
        assert len(before) == 1
    await ann.react(reply, "👎")
    async with hosted(home, sandbox) as wire:

        async def both() -> bool:
            return sorted([*before, (0, word, ann.id, -1)]) == await wire.votes(reply)

        await eventually(both)


async def test_a_reply_that_was_sent_and_not_noted_is_adopted(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    """As after a crash between the two: thumbs under it count."""
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        async with wire.app.database.write() as connection:
            await connection.execute(update(predictions).values(message_id=None))
    await bob.react(reply, "👎")
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(reply, (bob, -1))


async def test_a_message_of_somebody_else_is_not_adopted(home: Path, sandbox: Sandbox, ann: Person) -> None:
    """Though the same controls are under it."""
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        async with wire.app.database.write() as connection:
            await connection.execute(update(predictions).values(message_id=None))
    message = sandbox.world.messages[int(reply["channel_id"])][int(reply["id"])]
    sandbox.world.store(replace(message, author=sandbox.world.users[ann.id]))
    async with hosted(home, sandbox) as wire:
        assert (await wire.app.reconcile.reconcile(is_gap=True)).adopted == 0


async def test_a_reply_deleted_while_the_bot_was_away_is_noted_and_its_votes_stay(
    home: Path, sandbox: Sandbox, ann: Person
) -> None:
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
    async with Person(sandbox.url, "ada") as ada:
        await ada.delete(reply)
    async with hosted(home, sandbox) as wire:

        async def is_noted() -> bool:
            return (await wire.row(reply))["deleted_at"] is not None

        await eventually(is_noted)
        await wire.until_votes(reply, (ann, 1))


async def test_a_channel_that_may_not_be_read_loses_nothing(
    home: Path, sandbox: Sandbox, ann: Person
) -> None:
    """Discord shows it as empty; nothing in it counts as deleted."""
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann)
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
    faults_of(sandbox).fail("GET", "/messages", status=403, times=None)
    async with hosted(home, sandbox) as wire:
        done = await wire.app.reconcile.reconcile(is_gap=True)
        assert (done.deleted, done.votes) == (0, 0)
        await wire.until_votes(reply, (ann, 1))


async def test_replies_older_than_the_setting_are_left_alone(
    home: Path, sandbox: Sandbox, ann: Person
) -> None:
    (reply,) = await asked(home, sandbox, ann)
    await ann.react(reply, "👍")
    async with hosted(home, sandbox, reconcile_days=1) as wire:
        await wire.until_votes(reply, (ann, 1))
        old = datetime.now(UTC) - timedelta(days=2)
        async with wire.app.database.write() as connection:
            await connection.execute(update(predictions).values(created_at=old))
            await connection.execute(votes.delete())
        assert (await wire.app.reconcile.reconcile(is_gap=True)).replies == 0
        await wire.until_votes(reply)


async def test_what_is_given_while_a_reply_is_read_is_the_last_word(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    """The answer to who gives a thumb comes late, and says what is no longer so."""
    (reply,) = await asked(home, sandbox, ann)
    await bob.react(reply, "👍")
    faults_of(sandbox).delay("GET", "/reactions/", delay_s=0.5, times=2)
    async with hosted(home, sandbox) as wire:
        reading = asyncio.create_task(wire.app.reconcile.reconcile(is_gap=True))
        await until_met(sandbox, left=1)
        await bob.unreact(reply, "👍")
        await bob.react(reply, "👎")
        await ann.react(reply, "👍")
        await reading
        await wire.until_votes(reply, (ann, 1), (bob, -1))


async def test_a_pass_that_fails_is_done_again(
    home: Path, sandbox: Sandbox, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.voting.reconcile.RETRY_AFTER_S", 0.05)
    (reply,) = await asked(home, sandbox, ann)
    await ann.react(reply, "👍")
    faults_of(sandbox).fail("GET", "/messages", status=400, times=2)
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(reply, (ann, 1))


async def test_thumbs_in_a_direct_message_are_read_back(home: Path, sandbox: Sandbox, ann: Person) -> None:
    async with hosted(home, sandbox) as wire:
        reply = await wire.ask(ann, channel_id=await ann.direct_channel_id(sandbox.bot_user_id))
    await ann.react(reply, "👎")
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(reply, (ann, -1))


async def test_thumbs_of_who_left_count_no_more_in_a_direct_message_than_before(
    home: Path, sandbox: Sandbox, ann: Person
) -> None:
    async with hosted(home, sandbox) as wire:
        channel_id = await ann.direct_channel_id(sandbox.bot_user_id)
        voted, changed, new = [await wire.ask(ann, channel_id=channel_id) for _ in range(3)]
        for reply in (voted, changed):
            await ann.react(reply, "👍")
            await wire.until_votes(reply, (ann, 1))
    key = sandbox.guild_id, ann.id
    member = sandbox.world.members.pop(key)
    await ann.react(new, "👍")
    await ann.unreact(changed, "👍")
    await ann.react(changed, "👎")
    async with hosted(home, sandbox) as wire:
        await wire.app.reconcile.reconcile(is_gap=True)
        await wire.until_votes(voted, (ann, 1))
        await wire.until_votes(changed)
        await wire.until_votes(new)
        sandbox.world.members[key] = member
        await wire.app.reconcile.reconcile(is_gap=True)
        await wire.until_votes(changed, (ann, -1))
        await wire.until_votes(new, (ann, 1))


async def test_who_was_forgotten_stays_forgotten(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    """Their thumb still stands on Discord; another's comes back."""
    async with hosted(home, sandbox) as wire:
        replies = [await wire.ask(one) for one in (ann, bob)]
        for reply in replies:
            await ann.react(reply, "👍")
            await bob.react(reply, "👍")
            await wire.until_votes(reply, (ann, 1), (bob, 1))
        await erase_person(wire.app.database, ann.id, since=None, now=datetime.now(UTC))
        await wire.until_votes(replies[1], (bob, 1))
    async with hosted(home, sandbox) as wire:
        done = await wire.app.reconcile.reconcile(is_gap=True)
        assert done.votes == 0
        await wire.until_votes(replies[1], (bob, 1))
        await ann.unreact(replies[1], "👍")  # a new thumb is a new vote
        await ann.react(replies[1], "👎")
        await wire.until_votes(replies[1], (ann, -1), (bob, 1))
        new = await wire.ask(ann)
    await ann.react(new, "👍")
    async with hosted(home, sandbox) as wire:
        await wire.until_votes(new, (ann, 1))


async def test_thumbs_given_meanwhile_have_the_weight_of_the_roles_that_can_be_looked_up(
    home: Path, sandbox: Sandbox, ann: Person, bob: Person
) -> None:
    (reply,) = await asked(home, sandbox, ann)
    members = sandbox.world.members
    admin = replace(members[sandbox.guild_id, ann.id], role_ids=(sandbox.admin_role_id,))
    members[sandbox.guild_id, ann.id] = admin
    await ann.react(reply, "👍")
    await bob.react(reply, "👎")
    path = f"/guilds/{sandbox.guild_id}/members/{bob.id}"
    faults_of(sandbox).fail("GET", path, status=503, times=None)
    async with hosted(home, sandbox, role_weights=(("Admin", 2.0), ("@everyone", 0.5))) as wire:
        await wire.until_votes(reply, (ann, 1), (bob, -1))
        async with wire.app.database.read() as connection:
            rows = await connection.execute(select(votes.c.voter_id, votes.c.weight))
            assert {row[0]: row[1] for row in rows} == {ann.id: 2.0, bob.id: 1.0}
