"""`!mydata`, `!forgetme`, `!optout` and `!optin` over the wire."""

import gzip
import json

import discord
import pytest
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.wire import EPHEMERAL, Wire, eventually, voted

from bot.cogs import privacy as cog
from bot.privacy import confirmation
from bot.sandbox.errors import Refusal
from storage.people import privacy

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUERY = "My {name} shoes are very [MASK]"


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
    message = await wire.direct_file(ann, since)
    assert "(votes: 1, questions: 1)" in message["content"]
    told = json.loads(await ann.attached(message))
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
    faults_of(wire.sandbox).fail("POST", "/users/@me/channels", status=403, times=2)
    reply = await wire.say(ann, "!mydata")
    assert reply["content"].startswith("I cannot send you direct messages. Allow direct messages")
    reply = await wire.slash(ann, "mydata")  # here nobody else sees it
    assert json.loads(await ann.attached(reply))["your_id"] == str(ann.id)
    assert reply["flags"] & EPHEMERAL
    faults_of(wire.sandbox).clear()


@pytest.mark.parametrize("path", ["/users/@me/channels", r"/channels/\d+/messages"])
@pytest.mark.parametrize("way", ["50007", "400", "503", "cut"])
async def test_a_slash_command_is_answered_whatever_became_of_its_direct_message(
    wire: Wire, ann: Person, path: str, way: str
) -> None:
    # Opened before by the bot, it would not be asked for again.
    wire.app.bot._connection._private_channels_by_user.clear()
    if way == "50007":
        faults_of(wire.sandbox).refuse("POST", path, Refusal.CANNOT_SEND_TO_USER)
    elif way == "cut":
        faults_of(wire.sandbox).cut("POST", path)
    else:
        faults_of(wire.sandbox).fail("POST", path, status=int(way))
    reply = await wire.slash(ann, "mydata")
    assert json.loads(await ann.attached(reply))["your_id"] == str(ann.id)
    assert reply["flags"] & EPHEMERAL
    faults_of(wire.sandbox).clear()


async def test_a_direct_message_that_failed_is_told_as_such(wire: Wire, ann: Person) -> None:
    wire.app.bot._connection._private_channels_by_user.clear()
    faults_of(wire.sandbox).fail("POST", "/users/@me/channels", status=503)
    assert (await wire.say(ann, "!mydata"))["content"].startswith("I could not send you the direct message")


async def test_a_large_history_is_packed(wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    await voted(wire, ann, QUERY.format(name="packed"))
    monkeypatch.setattr(cog, "FILE_LIMIT_BYTES", 1200)
    since = ann.mark()
    await wire.say(ann, "!mydata")
    message = await wire.direct_file(ann, since)
    assert "open it with any program for .gz files" in message["content"]
    assert message["attachments"][0]["filename"].endswith(".json.gz")
    assert len(json.loads(gzip.decompress(await ann.attached(message)))["votes"]) == 1
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
