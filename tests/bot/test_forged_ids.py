"""Ids in menus and buttons, as if Discord let people send any: nobody votes elsewhere, or for another."""

import pytest
import pytest_asyncio
from discord import ButtonStyle, SelectOption, ui
from sqlalchemy import func, select
from support.people import Json, Person
from support.wire import EPHEMERAL, Wire

from bot.texts import say
from storage.schema import votes

pytestmark = pytest.mark.asyncio(loop_scope="module")
STALE = say("errors.stale_menu")


@pytest_asyncio.fixture(loop_scope="module")
async def reply(wire: Wire, ann: Person) -> Json:
    return await wire.ask(ann)


async def forged(wire: Wire, person: Person, custom_id: str, *, channel_id: int, word: str = "") -> Json:
    """A message of the bot's with one control that carries this id; a menu where there is a word."""
    view = ui.View(timeout=None)
    if word:
        view.add_item(ui.Select(custom_id=custom_id, options=[SelectOption(label=word, value=word)]))
    else:
        view.add_item(ui.Button(custom_id=custom_id, label="press", style=ButtonStyle.danger))
    view.stop()  # no callback of its own
    sent = await wire.app.bot.get_partial_messageable(channel_id).send("look", view=view)
    return await person.wait_for_event("MESSAGE_CREATE", predicate=lambda body: body["id"] == str(sent.id))


async def said(person: Person, message: Json, custom_id: str, word: str = "") -> str:
    since = person.mark()
    if word:
        await person.select(message, custom_id, [word])
    else:
        await person.click(message, custom_id)
    line = await person.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)
    content: str = line["content"]
    return content


async def all_votes(wire: Wire) -> int:
    async with wire.app.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(votes))).scalar_one())


@pytest.mark.parametrize("place", ["another message", "another channel", "another server", "direct message"])
@pytest.mark.parametrize("what", ["fit", "unfit"])
async def test_a_menu_elsewhere_cannot_vote_on_a_prediction(
    wire: Wire, bob: Person, reply: Json, place: str, what: str
) -> None:
    row, sandbox = await wire.row(reply), wire.sandbox
    channel_id = wire.channel_id
    if place == "another channel":
        channel_id = sandbox.add_channel("talk").id
    elif place == "another server":
        guild = sandbox.add_guild("Elsewhere", member_ids=[bob.id, sandbox.bot_user_id])
        channel_id = sandbox.add_channel("talk", guild_id=guild.id).id
    elif place == "direct message":
        channel_id = await bob.direct_channel_id(sandbox.bot_user_id)
    word = f"0:{row['candidates'][0]['word']}"
    custom_id, before = f"words:{what}:{row['id']}", await all_votes(wire)
    message = await forged(wire, bob, custom_id, channel_id=channel_id, word=word)
    assert await said(bob, message, custom_id, word) == STALE
    assert await all_votes(wire) == before


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "999999999999999999",
        "9" * 19,
        "9" * 80,
        "-1",
        "1.0",
        "１",
        "1\n",
        " 1",
        "1 OR 1=1",
        "",
        "0x1",
        "1:2",
    ],
)
@pytest.mark.parametrize("what", ["words:fit", "words:back", "words:suggest", "quiz:next"])
async def test_an_id_of_nothing_does_nothing(wire: Wire, bob: Person, what: str, number: str) -> None:
    custom_id, before, since = f"{what}:{number}", await all_votes(wire), bob.mark()
    message = await forged(wire, bob, custom_id, channel_id=wire.channel_id, word="0:soft" * ("fit" in what))
    if "fit" in what:
        await bob.select(message, custom_id, ["0:soft"])
    else:
        await bob.click(message, custom_id)
    await wire.say(bob, "!help")  # the bot goes on
    lines = [body["content"] for name, body in bob.events[since:] if name == "MESSAGE_CREATE"]
    assert not [line for line in lines if "reference" in line]  # a fault
    assert await all_votes(wire) == before


async def test_take_back_takes_back_nobody_elses_votes(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    row = await wire.row(reply)
    word = f"0:{row['candidates'][0]['word']}"
    await said(ann, reply, f"words:fit:{row['id']}", word)
    custom_id = f"words:back:{row['id']}"
    message = await forged(wire, bob, custom_id, channel_id=wire.channel_id)
    since = bob.mark()
    await bob.click(message, custom_id)
    await bob.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"], since=since
    )
    assert [voter for _, _, voter, _ in await wire.votes(reply)] == [ann.id]


async def test_a_quiz_button_with_ones_own_id_is_no_quiz(wire: Wire, ann: Person, bob: Person) -> None:
    custom_id = f"quiz:next:{ann.id}"
    message = await forged(wire, bob, custom_id, channel_id=wire.channel_id)
    assert await said(bob, message, custom_id) == say("quiz.not_yours", prefix="!")
    assert await said(ann, message, custom_id) == say("quiz.moved_on", prefix="!")
