"""“Fill the blank” on a message, over the wire: what it answers, and whose sentence it was."""

from datetime import UTC, datetime

import pytest
import pytest_asyncio
from support.people import Json, Person, RefusedError
from support.wire import EPHEMERAL, Wire

from bot.texts import say
from storage.people import forgetting, privacy

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILL = "Fill the blank"
SENTENCE = "My boots are really ..."


@pytest_asyncio.fixture(loop_scope="module")
async def sentence(wire: Wire, ann: Person) -> Json:
    """A message of Ann's."""
    return await ann.say(wire.channel_id, SENTENCE)


async def test_a_message_is_filled_for_everybody_to_see(wire: Wire, bob: Person, sentence: Json) -> None:
    reply = await wire.use_on(bob, sentence, FILL)
    assert reply["embeds"][0]["description"].startswith("My boots are really **")
    assert not reply["flags"] & EPHEMERAL
    assert reply["message_reference"]["message_id"] == sentence["id"]
    await wire.seeded(bob, reply)


async def test_who_wrote_it_and_who_asked_are_both_stored(
    wire: Wire, ann: Person, bob: Person, sentence: Json
) -> None:
    row = await wire.row(await wire.use_on(bob, sentence, FILL))
    assert (row["query"], row["asker_id"], row["author_id"]) == (
        "My boots are really [MASK].",
        bob.id,
        ann.id,
    )
    row = await wire.row(await wire.use_on(ann, sentence, FILL))
    assert (row["asker_id"], row["author_id"]) == (ann.id, None)


async def test_a_message_without_a_blank_is_told_to_the_asker_alone(
    wire: Wire, ann: Person, bob: Person
) -> None:
    said = await wire.use_on(bob, await ann.say(wire.channel_id, "Boots are warm"), FILL)
    assert said["content"].startswith("Which word is missing?")
    assert said["flags"] & EPHEMERAL


async def test_a_sentence_of_somebody_who_opted_out_is_not_read(
    wire: Wire, ann: Person, bob: Person, sentence: Json
) -> None:
    await privacy.opt_out(wire.app.database, ann.id, now=datetime.now(UTC))
    said = await wire.use_on(bob, sentence, FILL)
    assert said["content"] == say("errors.author_opted_out")
    assert (await privacy.summarize(wire.app.database, ann.id)).queries == 0
    assert (await wire.use_on(ann, sentence, FILL))["embeds"]


async def test_a_sentence_goes_when_its_author_is_forgotten(wire: Wire, ann: Person, bob: Person) -> None:
    sentence = await ann.say(wire.channel_id, "The cap of my aunt is ...")
    reply = await wire.use_on(bob, sentence, FILL)
    await wire.row(reply)
    erased = await forgetting.erase_person(wire.app.database, ann.id, since=None, now=datetime.now(UTC))
    assert erased.queries == 1
    assert (await privacy.summarize(wire.app.database, bob.id)).queries == 0


async def test_it_works_in_a_direct_message(wire: Wire, bob: Person) -> None:
    channel_id = await bob.direct_channel_id(wire.sandbox.bot_user_id)
    mine = await bob.say(channel_id, "My boots are really ...")
    assert (await wire.use_on(bob, mine, FILL))["embeds"]


async def test_a_message_that_is_not_there_is_refused(wire: Wire, bob: Person, sentence: Json) -> None:
    with pytest.raises(RefusedError):
        await bob.use_on({**sentence, "id": "1"}, FILL)


async def test_the_names_are_translated(wire: Wire) -> None:
    known = {one["name"]: one for one in wire.sandbox.world.commands.values() if one["type"] == 3}
    assert known[FILL]["name_localizations"]["de"] == "Lücke füllen"
