"""`!mydata`, `!forgetme`, `!optout`, `!optin` and `!export` over the wire."""

import csv
import gzip
import io
import json
from typing import Any

import discord
import pytest
from support.people import Json, Person
from support.wire import EPHEMERAL, Wire, eventually

from bot.cogs import privacy as cog
from bot.privacy import confirmation
from bot.sandbox.errors import Refusal
from bot.sandbox.world.state import ChannelKind
from storage.people import privacy

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUERY = "My {name} shoes are very [MASK]"


async def attached(person: Person, message: Json) -> bytes:
    """The content of a message's one file."""
    (attachment,) = message["attachments"]
    async with person._http.get(attachment["url"]) as response:
        return await response.read()


async def direct(wire: Wire, person: Person, since: int) -> Json:
    """The next direct message from the bot."""
    channel_id = await person.direct_channel_id(wire.sandbox.bot_user_id)
    return await person.wait_for_event(
        "MESSAGE_CREATE",
        predicate=lambda body: (
            body["channel_id"] == str(channel_id)
            and body["author"]["id"] == str(wire.sandbox.bot_user_id)
            and bool(body["attachments"])
        ),
        since=since,
    )


async def voted(wire: Wire, person: Person, query: str, thumb: str = "👍", **where: int) -> Json:
    """A reply that a person asked for and voted on."""
    reply = await wire.ask(person, query, **where)
    await person.react(reply, thumb)
    await wire.until_votes(reply, (person, 1 if thumb == "👍" else -1))
    return reply


def button(message: Json, label: str) -> str:
    """The custom id of a button."""
    found = [one for row in message["components"] for one in row["components"] if one["label"] == label]
    return str(found[0]["custom_id"])


async def edited(person: Person, message: Json, holding: str) -> Json:
    return await person.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"] and holding in body["content"]
    )


async def test_everything_stored_comes_as_a_direct_message(wire: Wire, ann: Person, bob: Person) -> None:
    await voted(wire, ann, QUERY.format(name="canvas"), "👎")
    await voted(wire, bob, QUERY.format(name="other"))
    since = ann.mark()
    reply = await wire.say(ann, "!mydata")
    assert (reply["content"], reply["attachments"]) == ("I sent it to you in a direct message.", [])
    message = await direct(wire, ann, since)
    assert "(votes: 1, questions: 1)" in message["content"]
    told = json.loads(await attached(ann, message))
    assert told["your_id"] == str(ann.id)
    assert told["explanation"].startswith("This is everything fillbot keeps about you.")
    (vote,), (question,) = told["votes"], told["questions"]
    assert vote["query"] == question["query"] == QUERY.format(name="canvas") + "."
    assert (vote["value"], vote["via"], vote["model_version"]) == (-1, "reaction", "v0001")
    assert question["channel_id"] == str(wire.channel_id)
    assert str(bob.id) not in json.dumps(told)
    assert told["opted_out_at"] is told["reliability"] is None


async def test_a_slash_command_answers_for_the_asker_alone(wire: Wire, ann: Person) -> None:
    assert (await wire.slash(ann, "mydata"))["flags"] & EPHEMERAL


async def test_closed_direct_messages_are_said_with_what_to_do(wire: Wire, ann: Person) -> None:
    wire.sandbox.faults.fail("POST", "/users/@me/channels", status=403, times=2)
    reply = await wire.say(ann, "!mydata")
    assert reply["content"].startswith("I cannot write to you. Allow direct messages")
    reply = await wire.slash(ann, "mydata")  # here nobody else sees it
    assert json.loads(await attached(ann, reply))["your_id"] == str(ann.id)
    assert reply["flags"] & EPHEMERAL
    wire.sandbox.faults.clear()


@pytest.mark.parametrize("path", ["/users/@me/channels", r"/channels/\d+/messages"])
@pytest.mark.parametrize("way", ["50007", "400", "503", "cut"])
async def test_a_slash_command_is_answered_whatever_became_of_its_direct_message(
    wire: Wire, ann: Person, path: str, way: str
) -> None:
    # Opened before by the bot, it would not be asked for again.
    wire.app.bot._connection._private_channels_by_user.clear()
    if way == "50007":
        wire.sandbox.faults.refuse("POST", path, Refusal.CANNOT_SEND_TO_USER)
    elif way == "cut":
        wire.sandbox.faults.cut("POST", path)
    else:
        wire.sandbox.faults.fail("POST", path, status=int(way))
    reply = await wire.slash(ann, "mydata")
    assert json.loads(await attached(ann, reply))["your_id"] == str(ann.id)
    assert reply["flags"] & EPHEMERAL
    wire.sandbox.faults.clear()


async def test_a_direct_message_that_failed_is_told_as_such(wire: Wire, ann: Person) -> None:
    wire.app.bot._connection._private_channels_by_user.clear()
    wire.sandbox.faults.fail("POST", "/users/@me/channels", status=503)
    assert (await wire.say(ann, "!mydata"))["content"].startswith("I could not send you the direct message")


async def test_a_large_history_is_packed(wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    await voted(wire, ann, QUERY.format(name="packed"))
    monkeypatch.setattr(cog, "FILE_LIMIT_BYTES", 1200)
    since = ann.mark()
    await wire.say(ann, "!mydata")
    message = await direct(wire, ann, since)
    assert "open it with any program for .gz files" in message["content"]
    assert message["attachments"][0]["filename"].endswith(".json.gz")
    assert len(json.loads(gzip.decompress(await attached(ann, message)))["votes"]) == 1
    monkeypatch.setattr(cog, "FILE_LIMIT_BYTES", 100)
    assert "more than Discord lets me send" in (await wire.say(ann, "!mydata"))["content"]


async def test_opting_out_and_in_is_confirmed_and_changes_what_is_answered(
    wire: Wire, ann: Person, bob: Person
) -> None:
    query = QUERY.format(name="running")
    reply = await voted(wire, ann, query, "👎")
    rejected = (await wire.row(reply))["candidates"][0]["word"]

    async def offered() -> bool:
        return rejected in [c["word"] for c in (await wire.row(await wire.ask(bob, query)))["candidates"]]

    assert not await offered()
    said = (await wire.say(ann, "!optout"))["content"]
    assert said.startswith("Your votes no longer count. 1 vote that you cast is kept but not used")
    assert await offered()
    assert (await wire.say(ann, "!optout"))["content"].startswith("You have already opted out.")
    said = (await wire.slash(ann, "optin"))["content"]
    assert (
        said == "Your votes count again, including 1 vote that you cast before: the next run learns from it."
    )
    assert not await offered()
    assert (await wire.say(ann, "!optin"))["content"].startswith("Your votes already count.")


async def test_who_left_nothing_is_told_so(wire: Wire, ann: Person) -> None:
    assert (await wire.say(ann, "!forgetme"))["content"] == "I keep nothing about you."


async def test_offers_are_few_as_each_may_end_a_run(wire: Wire, ann: Person) -> None:
    said = [(await wire.say(ann, "!forgetme"))["content"] for _ in range(4)]
    assert [one.startswith("One moment, please") for one in said] == [False, False, False, True]


async def test_only_the_asker_may_press(wire: Wire, ann: Person, bob: Person) -> None:
    await voted(wire, ann, QUERY.format(name="pressed"))
    offer = await wire.say(ann, "!forgetme")
    assert "• 1 vote of yours" in offer["content"]
    assert "• 1 question that only you asked" in offer["content"]
    since = bob.mark()
    await bob.click(offer, button(offer, "Forget me"))
    refused = await bob.wait_for_message(lambda one: "Only the person" in one["content"], since=since)
    assert refused["flags"] & EPHEMERAL
    assert (await privacy.summarize(wire.app.database, ann.id)).votes == 1
    await ann.click(offer, button(offer, "Keep"))
    assert (await edited(ann, offer, "Nothing was deleted."))["components"] == []
    assert (await privacy.summarize(wire.app.database, ann.id)).votes == 1


async def test_an_offer_ends(wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    await voted(wire, ann, QUERY.format(name="late"))
    monkeypatch.setattr(confirmation, "OPEN_S", 0.1)
    offer = await wire.say(ann, "!forgetme")
    assert (await edited(ann, offer, "the button expired after"))["components"] == []


async def test_forgetting_deletes_and_says_what(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await voted(wire, ann, QUERY.format(name="forgotten"))
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (ann, 1), (bob, -1))
    offer = await wire.say(ann, "!forgetme")
    assert "• 1 vote of somebody else on those answers" in offer["content"]
    assert "No model version learnt from your votes." in offer["content"]
    await ann.click(offer, button(offer, "Forget me"))
    done = await edited(ann, offer, "You are forgotten")
    assert done["content"].splitlines() == [
        "**You are forgotten.** I deleted:",
        "• 1 vote of yours",
        "• 1 question that only you asked, with everything I answered",
        "• 1 vote of somebody else on those answers, as it means nothing without the question",
        "The model that answers learnt nothing from you, so no run is needed.",
    ]
    assert not wire.app.runs.is_running
    assert (await wire.say(ann, "!forgetme"))["content"] == "I keep nothing about you."
    await ann.unreact(reply, "👍")  # what is left of it in the channel means nothing any more
    assert (await wire.ask(ann, QUERY.format(name="again")))["embeds"]


async def test_who_pressed_is_forgotten_also_when_discord_hears_nothing(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError("the line is dead")

    await voted(wire, ann, QUERY.format(name="sandals"), "👎")
    offer = await wire.say(ann, "!forgetme")
    monkeypatch.setattr(discord.InteractionResponse, "edit_message", fail)
    await ann.click(offer, offer["components"][0]["components"][0]["custom_id"])

    async def is_forgotten() -> bool:
        return (await privacy.summarize(wire.app.database, ann.id)).votes == 0

    await eventually(is_forgotten)


async def test_an_ephemeral_offer_works_too(wire: Wire, ann: Person) -> None:
    await voted(wire, ann, QUERY.format(name="slashed"))
    offer = await wire.slash(ann, "forgetme")
    assert offer["flags"] & EPHEMERAL
    await ann.click(offer, button(offer, "Forget me"))
    await edited(ann, offer, "You are forgotten")


async def test_forgetting_clears_what_the_predictor_remembers(wire: Wire, ann: Person) -> None:
    await wire.ask(ann, QUERY.format(name="cached"))
    assert wire.app.follower.predictor._cache
    offer = await wire.say(ann, "!forgetme")
    await ann.click(offer, button(offer, "Forget me"))
    await edited(ann, offer, "You are forgotten")
    assert not wire.app.follower.predictor._cache


async def exported(wire: Wire, admin: Person) -> list[dict[str, Any]]:
    """The rows that an admin gets."""
    since = admin.mark()
    assert (await wire.say(admin, "!export"))["content"] == "I sent it to you in a direct message."
    content = await attached(admin, await direct(wire, admin, since))
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


async def test_an_admin_gets_the_judgements_without_who_voted(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await voted(wire, ann, "=exported shoes are very [MASK]", "👎")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1), (bob, -1))
    direct_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    hidden_id = wire.sandbox.add_channel("hidden", only_for=[ann.id, wire.sandbox.bot_user_id]).id

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
    closed_id = sandbox.add_channel("closed").id
    private_id = sandbox.add_thread(
        "private", kind=ChannelKind.PRIVATE_THREAD, member_ids=[ann.id, bot_id]
    ).id
    open_id = sandbox.add_thread("open", member_ids=[ann.id]).id
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
    sandbox.deny(closed_id, sandbox.guild_id, 1 << 16)  # Read Message History
    async with wire.person("ada") as ada:
        await ada.delete(deleted)

        async def are_noted() -> bool:
            channel = wire.app.bot.get_channel(closed_id)
            may = channel.permissions_for(channel.guild.default_role)
            return (await wire.row(deleted))["deleted_at"] and not may.read_message_history

        await eventually(are_noted)
        shown = {row["query"] for row in await exported(wire, ada)}
    assert {one for one in shown if "to an admin" in one} == {"shown to an admin, open shoes are [MASK]."}


async def test_others_get_no_export(wire: Wire, ann: Person) -> None:
    assert (await wire.say(ann, "!export"))["content"].startswith("Only admins can do that")
