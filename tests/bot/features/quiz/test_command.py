"""`!quiz` over the wire: what is asked of whom and where, its buttons, and who may press them."""

import asyncio
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from sqlalchemy import delete, insert
from support.people import Json, Person
from support.sandbox_world import add_channel, add_guild
from support.wire import EPHEMERAL, Wire

from bot.features.quiz import cog
from bot.features.quiz.cog import Quiz, QuizButton
from storage.schema import people, predictions, votes

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOTHING = "There is nothing left to ask you"
STALE = "That quiz has moved on."


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_asked(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins with a bot without questions, and a quiz without examples."""
    monkeypatch.setattr(cog, "example_queries", lambda: ())
    async with wire.app.database.write() as connection:
        for table in (votes, predictions, people):
            await connection.execute(delete(table))


def buttons(message: Json) -> dict[str, str]:
    """Label → custom id of the buttons of a quiz."""
    found = [one for row in message["components"] for one in row["components"]]
    return {one["label"]: one["custom_id"] for one in found if one["custom_id"].startswith("quiz:")}


def query_of(message: Json) -> str:
    """The sentence that was asked about, but for its bold word."""
    return str(message["embeds"][0]["description"]).split("**")[0].strip() if message["embeds"] else ""


async def press(person: Person, message: Json, label: str) -> Json:
    """Press a button, and return the next thing that the bot posts."""
    since = person.mark()
    await person.click(message, buttons(message)[label])
    return await person.wait_for_event(
        "MESSAGE_CREATE", predicate=lambda body: body["author"].get("bot", False), since=since
    )


async def until_without_buttons(person: Person, message: Json) -> Json:
    async with asyncio.timeout(20):
        while buttons(now := await person.message(message)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return now


async def direct(wire: Wire, person: Person) -> int:
    return await person.direct_channel_id(wire.sandbox.bot_user_id)


async def test_a_quiz_offers_what_others_asked_as_an_ordinary_reply(
    wire: Wire, ann: Person, bob: Person
) -> None:
    await wire.ask(ann, "warm boots are [MASK]")
    item = await wire.say(bob, "!quiz")
    assert item["content"] == "**Quiz** — this sentence has no votes yet. Rate what fits and what does not."
    assert query_of(item) == "warm boots are"
    assert list(buttons(item)) == ["Next", "Stop"]
    await wire.seeded(bob, item)
    await bob.react(item, "👍")
    await wire.until_votes(item, (bob, 1))
    assert (await wire.row(item))["asker_id"] == bob.id


async def test_on_the_first_day_the_quiz_asks_its_own_sentences(
    wire: Wire, ann: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = ("warm caps are [MASK]", "warm bags are [MASK]")
    monkeypatch.setattr(cog, "example_queries", lambda: examples)
    first = await wire.say(bob, "!quiz")
    assert first["content"].startswith("**Quiz** — an example")
    assert query_of(first) == "warm caps are"
    await wire.ask(ann, "warm boots are [MASK]")
    second = await press(bob, first, "Next")
    assert query_of(second) == "warm boots are"  # what people asked comes first
    third = await press(bob, second, "Next")
    assert query_of(third) == "warm bags are"
    assert (await press(bob, third, "Next"))["content"].startswith(NOTHING)


async def test_next_offers_another_and_takes_the_buttons_from_the_last(
    wire: Wire, ann: Person, bob: Person
) -> None:
    for query in ("warm boots are [MASK]", "warm socks are [MASK]"):
        await wire.ask(ann, query)
    first = await wire.slash(bob, "quiz")
    second = await press(bob, first, "Next")
    assert {query_of(first), query_of(second)} == {"warm boots are", "warm socks are"}
    left = await until_without_buttons(bob, first)
    assert len(left["components"]) == 3  # menus, and the button to suggest a word
    last = await press(bob, second, "Next")
    assert last["content"].startswith(NOTHING)
    assert last["content"].endswith("You rated nothing this time. Come back whenever you like.")
    await until_without_buttons(bob, second)


async def test_stop_thanks_for_what_was_rated(wire: Wire, ann: Person, bob: Person) -> None:
    for query in ("light boots are [MASK]", "light socks are [MASK]"):
        await wire.ask(ann, query)
    first = await wire.say(bob, "!quiz")
    await wire.seeded(bob, first)
    await bob.react(first, "👎")
    await wire.until_votes(first, (bob, -1))
    second = await press(bob, first, "Next")
    await wire.seeded(bob, second)
    await bob.react(second, "👍")
    await wire.until_votes(second, (bob, 1))
    said = await press(bob, second, "Stop")
    assert said["content"] == "You rated 2 words in 2 sentences. Thank you."
    await until_without_buttons(bob, second)


async def test_a_quiz_can_be_ended_by_its_command(wire: Wire, ann: Person, bob: Person) -> None:
    assert (await wire.say(bob, "!quiz stop"))[
        "content"
    ] == "You have not started a quiz. Start one with `!quiz`."
    await wire.ask(ann, "red boots are [MASK]")
    item = await wire.say(bob, "!quiz")
    await wire.seeded(bob, item)
    await bob.react(item, "👍")
    await wire.until_votes(item, (bob, 1))
    said = await wire.slash(bob, "quiz", what="stop")
    assert said["content"] == "You rated 1 word in 1 sentence. Thank you."
    await until_without_buttons(bob, item)


async def test_a_new_quiz_closes_the_one_before(wire: Wire, ann: Person, bob: Person) -> None:
    for query in ("blue boots are [MASK]", "blue socks are [MASK]"):
        await wire.ask(ann, query)
    first = await wire.say(bob, "!quiz")
    await wire.say(bob, "!quiz")
    await until_without_buttons(bob, first)


async def test_what_one_asked_rated_or_skipped_is_not_asked(wire: Wire, ann: Person, bob: Person) -> None:
    await wire.ask(bob, "own boots are [MASK]")
    rated = await wire.ask(ann, "rated boots are [MASK]")
    await bob.react(rated, "👍")
    await wire.until_votes(rated, (bob, 1))
    await wire.ask(ann, "skipped boots are [MASK]")
    assert query_of(await wire.say(bob, "!quiz")) == "skipped boots are"
    assert (await wire.say(bob, "!quiz"))["content"].startswith(NOTHING)


async def test_only_whose_quiz_it_is_may_press(wire: Wire, ann: Person, bob: Person) -> None:
    await wire.ask(ann, "cheap boots are [MASK]")
    item = await wire.say(bob, "!quiz")
    for label in ("Next", "Stop"):
        said = await press(ann, item, label)
        assert said["content"] == "That is somebody else's quiz. Start your own with `!quiz`."
        assert said["flags"] & EPHEMERAL
    assert buttons(await bob.message(item))


async def test_a_sentence_that_was_passed_cannot_be_pressed(wire: Wire, ann: Person, bob: Person) -> None:
    for query in ("good boots are [MASK]", "good socks are [MASK]"):
        await wire.ask(ann, query)
    item = await wire.say(bob, "!quiz")
    async with wire.app.database.write() as connection:  # as though another had been offered since
        row = await wire.row(item)
        del row["candidates"], row["id"]
        await connection.execute(insert(predictions), {**row, "message_id": 1})
    said = await press(bob, item, "Next")
    assert said["content"].startswith(STALE)
    assert said["flags"] & EPHEMERAL


async def test_a_sentence_from_a_private_channel_is_asked_only_there(
    wire: Wire, ann: Person, bob: Person
) -> None:
    both = [ann.id, bob.id, wire.sandbox.bot_user_id]
    private = add_channel(wire.sandbox, "private", only_for=both).id
    await wire.ask(ann, "secret boots are [MASK]", channel_id=private)
    assert (await wire.say(bob, "!quiz"))["content"].startswith(NOTHING)
    assert query_of(await wire.say(bob, "!quiz", channel_id=private)) == "secret boots are"


async def test_in_direct_messages_one_is_asked_what_one_may_read(
    wire: Wire, ann: Person, bob: Person
) -> None:
    for name, readers in (("with bob", [ann.id, bob.id]), ("without bob", [ann.id])):
        private = add_channel(wire.sandbox, name, only_for=[*readers, wire.sandbox.bot_user_id])
        await wire.ask(ann, f"boots {name} are [MASK]", channel_id=private.id)
    await wire.ask(ann, "open boots are [MASK]")
    channel_id = await direct(wire, bob)
    asked = [query_of(await wire.say(bob, "!quiz", channel_id=channel_id)) for _ in range(3)]
    assert sorted(asked) == ["", "boots with bob are", "open boots are"]


async def test_what_was_asked_in_a_direct_message_is_nobodys_to_see(
    wire: Wire, ann: Person, bob: Person
) -> None:
    await wire.ask(ann, "direct boots are [MASK]", channel_id=await direct(wire, ann))
    await wire.ask(ann, "open boots are [MASK]")
    quizzed = await wire.say(ann, "!quiz", channel_id=await direct(wire, ann))
    assert quizzed["content"].startswith(NOTHING)
    for channel_id in (wire.channel_id, await direct(wire, bob)):
        item = await wire.say(bob, "!quiz", channel_id=channel_id)
        assert query_of(item) in ("open boots are", "")


async def test_what_was_asked_in_another_server_stays_there(wire: Wire, ann: Person, bob: Person) -> None:
    await wire.ask(ann, "foreign boots are [MASK]")
    async with wire.app.database.write() as connection:
        elsewhere = add_guild(
            wire.sandbox, "Elsewhere", member_ids=[ann.id, bob.id, wire.sandbox.bot_user_id]
        )
        channel = add_channel(wire.sandbox, "talk", guild_id=elsewhere.id)
        where = {"guild_id": elsewhere.id, "channel_id": channel.id}
        await connection.execute(predictions.update().values(where))
    for channel_id in (wire.channel_id, await direct(wire, bob)):
        assert (await wire.say(bob, "!quiz", channel_id=channel_id))["content"].startswith(NOTHING)


async def test_who_opted_out_is_told_that_votes_do_not_count(wire: Wire, ann: Person, bob: Person) -> None:
    await wire.ask(ann, "late boots are [MASK]")
    async with wire.app.database.write() as connection:
        await connection.execute(insert(people), {"user_id": bob.id, "opted_out_at": datetime.now(UTC)})
    item = await wire.say(bob, "!quiz")
    assert item["content"].split("\n")[1].startswith("You opted out, so your votes will not count")


async def test_a_word_suggested_in_a_quiz_leaves_its_buttons(wire: Wire, ann: Person, bob: Person) -> None:
    await wire.ask(ann, "new boots are [MASK]")
    item = await wire.say(bob, "!quiz")
    ids = [one["custom_id"] for row in item["components"] for one in row["components"]]
    (suggest,) = [one for one in ids if ":suggest:" in one]
    await bob.click(item, suggest)
    modal = await bob.wait_for_event("INTERACTION_MODAL_CREATE")
    field = modal["components"][0]["components"][0]["custom_id"]
    await bob.submit(modal, {field: "breathable"})

    def is_renewed(body: Json) -> bool:
        return body["id"] == item["id"] and "breathable" in str(body["components"])

    renewed = await bob.wait_for_event("MESSAGE_UPDATE", predicate=is_renewed)
    assert buttons(renewed) == buttons(item)
    assert (await press(bob, renewed, "Stop"))["content"] == "You rated 1 word in 1 sentence. Thank you."


async def test_a_quiz_goes_on_after_a_restart(wire: Wire, ann: Person, bob: Person) -> None:
    for query in ("slow boots are [MASK]", "slow socks are [MASK]"):
        await wire.ask(ann, query)
    first = await wire.say(bob, "!quiz")
    # What a restart forgets: everything that discord.py holds of views, and the cog.
    bot = wire.app.bot
    store = bot._connection._view_store
    store._views.clear()
    store._synced_message_views.clear()
    store._dynamic_items.pop(QuizButton.__discord_ui_compiled_template__)
    cog = bot.get_cog("Quiz")
    assert isinstance(cog, Quiz)
    await bot.remove_cog("Quiz")
    await bot.add_cog(cog)
    second = await press(bob, first, "Next")
    assert {query_of(first), query_of(second)} == {"slow boots are", "slow socks are"}
    assert (await press(bob, second, "Stop"))["content"].startswith("You rated nothing this time")


async def test_pressing_twice_offers_one_sentence(wire: Wire, ann: Person, bob: Person) -> None:
    for query in ("ugly boots are [MASK]", "ugly socks are [MASK]", "ugly shoes are [MASK]"):
        await wire.ask(ann, query)
    first = await wire.say(bob, "!quiz")
    since = bob.mark()
    await asyncio.gather(*(bob.click(first, buttons(first)["Next"]) for _ in range(2)))
    await until_without_buttons(bob, first)
    said = await wire.say(bob, "!quiz stop")
    assert said["content"].startswith("You rated nothing")
    posted = [body for name, body in bob.events[since:] if name == "MESSAGE_CREATE" and buttons(body)]
    assert len(posted) == 1


async def test_a_press_is_answered_at_once_also_in_a_busy_channel(
    wire: Wire, ann: Person, bob: Person
) -> None:
    """Discord wants an answer within three seconds; in a busy channel replies wait longer for their turn."""
    await wire.ask(ann)
    await wire.ask(ann, "The cap is [MASK]")
    item = await wire.say(bob, "!quiz")
    cog = wire.app.bot.get_cog("Quiz")
    assert isinstance(cog, Quiz)
    since = bob.mark()
    with cog._in_flight.sending_reply(wire.channel_id):
        await bob.click(item, buttons(item)["Next"])
        await bob.wait_for_event("INTERACTION_SUCCESS", since=since)
    await until_without_buttons(bob, item)


async def test_next_takes_the_buttons_from_the_last_also_where_the_bot_sees_nothing(
    wire: Wire, ann: Person, bob: Person
) -> None:
    channel_id = add_channel(wire.sandbox, "hidden-quiz", only_for=[bob.id]).id
    for query in ("warm boots are [MASK]", "warm socks are [MASK]"):
        await wire.ask(ann, query)
    first = await wire.slash(bob, "quiz", channel_id=channel_id)
    await press(bob, first, "Next")
    await until_without_buttons(bob, first)
