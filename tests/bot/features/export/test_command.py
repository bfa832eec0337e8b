"""`!export` over the wire."""

import csv
import io
import json
from typing import Any

import pytest
from support.people import Person
from support.sandbox_world import add_channel, add_thread, deny
from support.wire import Wire, eventually, voted

from bot.sandbox.world.state import ChannelKind

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def exported(wire: Wire, admin: Person) -> list[dict[str, Any]]:
    """The rows that an admin gets."""
    since = admin.mark()
    assert (await wire.say(admin, "!export"))["content"] == "I sent it to you in a direct message."
    content = await admin.attached(await wire.direct_file(admin, since))
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


async def exported_lines(wire: Wire, admin: Person, form: str) -> list[dict[str, Any]]:
    """The JSON lines that an admin gets."""
    since = admin.mark()
    await wire.say(admin, f"!export {form}")
    content = await admin.attached(await wire.direct_file(admin, since))
    return [json.loads(line) for line in content.decode().splitlines()]


async def test_an_admin_gets_the_judgements_without_who_voted(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await voted(wire, ann, "=exported shoes are very [MASK]", "👎")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1), (bob, -1))
    direct_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    hidden_id = add_channel(wire.sandbox, "hidden", only_for=[ann.id, wire.sandbox.bot_user_id]).id

    async def is_known() -> bool:
        return wire.app.bot.get_channel(hidden_id) is not None

    await eventually(is_known)
    await voted(wire, ann, "direct shoes are [MASK]", channel_id=direct_id)
    await voted(wire, ann, "hidden shoes are [MASK]", channel_id=hidden_id)
    async with wire.person("ada") as ada, wire.person("owner") as owner:
        rows = await exported(wire, ada)
        everything = await exported(wire, owner)
    (row,) = [row for row in rows if "exported" in row["query"]]
    top = (await wire.row(reply))["candidates"][0]["word"]
    assert row["query"] == "'=exported shoes are very [MASK]."  # no formula
    assert (row["mask"], row["word"], row["voters"]) == ("0", top, "2")
    assert float(row["down"]) > float(row["up"]) == 0
    assert str(ann.id) not in str(rows)
    assert not [row for row in rows if "hidden" in row["query"]]
    assert [row["word"] for row in everything if "hidden" in row["query"]]  # the owner sees every channel
    assert not [row for row in everything if "direct" in row["query"]]
    assert set(row) == {"query", "mask", "word", "up", "down", "voters", "last_vote_at"}


async def test_an_export_shows_no_more_than_a_quiz(wire: Wire, ann: Person, bob: Person) -> None:
    """Nothing of closed channels, private threads, deleted replies, and people who opted out."""
    sandbox, bot_id = wire.sandbox, wire.sandbox.bot_user_id
    closed_id = add_channel(sandbox, "closed").id
    private_id = add_thread(
        sandbox, "private", kind=ChannelKind.PRIVATE_THREAD, member_ids=[ann.id, bot_id]
    ).id
    open_id = add_thread(sandbox, "open", member_ids=[ann.id]).id
    ids = {closed_id, private_id, open_id}

    async def are_known() -> bool:
        channels = [wire.app.bot.get_channel(one) for one in ids - {open_id, private_id}]
        threads = wire.app.bot.get_guild(sandbox.guild_id).threads
        return all(channels) and ids - {closed_id} <= {one.id for one in threads}

    await eventually(are_known)
    await voted(wire, ann, "shown to an admin, closed shoes are [MASK]", channel_id=closed_id)
    await voted(wire, ann, "shown to an admin, private shoes are [MASK]", channel_id=private_id)
    await voted(wire, ann, "SHOWN to an admin, open shoes are [MASK]", channel_id=private_id)
    await voted(wire, ann, "shown to an admin, open shoes are [MASK]", channel_id=open_id)
    await voted(wire, ann, "SHOWN to an admin, open shoes are [MASK]", channel_id=closed_id)
    await voted(wire, ann, "shown to an admin, shoes of a@b.example are [MASK]")
    deleted = await voted(wire, ann, "shown to an admin, deleted shoes are [MASK]")
    await voted(wire, bob, "shown to an admin, shoes of who opted out are [MASK]")
    await wire.say(bob, "!optout")
    deny(sandbox, closed_id, sandbox.guild_id, 1 << 16)  # Read Message History
    async with wire.person("ada") as ada:
        await ada.delete(deleted)

        async def are_noted() -> bool:
            channel = wire.app.bot.get_channel(closed_id)
            may = channel.permissions_for(channel.guild.default_role)
            return (await wire.row(deleted))["deleted_at"] and not may.read_message_history

        await eventually(are_noted)
        shown = {row["query"] for row in await exported(wire, ada)}
    assert {one for one in shown if "to an admin" in one} == {"shown to an admin, open shoes are [MASK]."}


async def test_judgements_on_denied_words_are_left_out(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await wire.ask(ann, "denied shoes are very [MASK]")
    kept, denied = (one["word"] for one in (await wire.row(reply))["candidates"][:2])
    for person in (ann, bob):
        menu = reply["components"][0]["components"][0]
        await person.select(reply, menu["custom_id"], [f"0:{kept}", f"0:{denied}"])

    async def are_stored() -> bool:
        return len(await wire.votes(reply)) == 4

    await eventually(are_stored)
    async with wire.person("ada") as ada:
        await wire.say(ada, f"!denied add {denied}")
        rows = await exported(wire, ada)
        await wire.say(ada, f"!denied remove {denied}")
    assert [row["word"] for row in rows if row["query"] == "denied shoes are very [MASK]."] == [kept]


async def test_others_get_no_export(wire: Wire, ann: Person) -> None:
    assert (await wire.say(ann, "!export"))["content"].startswith("Only admins can do that")


async def test_an_admin_gets_preference_pairs_and_labelled_words(
    wire: Wire, ann: Person, bob: Person
) -> None:
    reply = await wire.ask(ann, "paired shoes are very [MASK]")
    good, bad = (one["word"] for one in (await wire.row(reply))["candidates"][:2])
    for person in (ann, bob):
        for number, word in enumerate((good, bad)):
            menu = reply["components"][number]["components"][0]
            await person.select(reply, menu["custom_id"], [f"0:{word}"])

    async def are_stored() -> bool:
        return len(await wire.votes(reply)) == 4

    await eventually(are_stored)
    prompt = "paired shoes are very [MASK]."
    async with wire.person("ada") as ada:
        (pair,) = [one for one in await exported_lines(wire, ada, "pairs") if one["prompt"] == prompt]
        words = [one for one in await exported_lines(wire, ada, "kto") if one["prompt"] == prompt]
    assert pair == {"prompt": prompt, "chosen": good, "rejected": bad}
    assert {(one["completion"], one["label"]) for one in words} == {(good, True), (bad, False)}
