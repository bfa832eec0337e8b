"""Ids in menus and buttons, as if Discord let people send any: nobody votes elsewhere, or for another."""

import pytest
import pytest_asyncio
from sqlalchemy import func, select
from support.forged_controls import forged, said
from support.people import Json, Person
from support.sandbox_world import add_channel, add_guild
from support.wire import Wire

from bot.texts import say
from storage.schema import votes

pytestmark = pytest.mark.asyncio(loop_scope="module")
STALE = say("errors.stale_menu")


@pytest_asyncio.fixture(loop_scope="module")
async def reply(wire: Wire, ann: Person) -> Json:
    return await wire.ask(ann)


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
        channel_id = add_channel(sandbox, "talk").id
    elif place == "another server":
        guild = add_guild(sandbox, "Elsewhere", member_ids=[bob.id, sandbox.bot_user_id])
        channel_id = add_channel(sandbox, "talk", guild_id=guild.id).id
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
