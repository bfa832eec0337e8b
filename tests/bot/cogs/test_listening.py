"""Sentences without a command over the wire: where they are answered, and that nothing else is kept."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs
from support.people import Json, Person
from support.sandbox_world import add_channel, add_guild, add_person
from support.wire import QUERY, Wire

from bot.sandbox.messages.payloads import MessagePayload
from bot.sandbox.messages.posting import post_message
from bot.texts import say
from storage.people import privacy
from storage.schema import predictions
from training.corpus.language import examples

pytestmark = pytest.mark.asyncio(loop_scope="module")
BLANKS = ["[MASK]", "[mask]", "<mask>", "___", "_____", "**[MASK]**"]
TALK = ["Let me check…", "Really ???", "Send it to [name]", "__very__ nice", "snake___case", "see ..."]
QUIET = "The warehouse is far away"


@pytest.fixture(scope="module")
def elsewhere(wire: Wire) -> int:
    """A channel that is not listed."""
    return add_channel(wire.sandbox, "elsewhere").id


async def answered(wire: Wire, person: Person, text: str, channel_id: int) -> Json:
    """The reply to a sentence, which completes it."""
    reply = await wire.say(person, text, channel_id=channel_id)
    assert reply["embeds"], reply["content"]
    return reply


async def unanswered(wire: Wire, person: Person, texts: list[str], channel_id: int) -> None:
    """Say several things, and check that only the command after them is answered."""
    since = person.mark()
    for text in texts:
        await person.say(channel_id, text)
    reply = await wire.ask(person, channel_id=channel_id)
    assert [one["id"] for one in await wire.by_bot(person, since=since)] == [reply["id"]]


async def stored(wire: Wire) -> int:
    async with wire.app.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(predictions))).scalar_one())


def mention(wire: Wire) -> str:
    return f"<@{wire.sandbox.bot_user_id}>"


@pytest.mark.parametrize("blank", BLANKS)
async def test_a_sentence_is_answered_in_a_direct_message(wire: Wire, ann: Person, blank: str) -> None:
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await answered(wire, ann, f"Nike shoes are very {blank}", channel_id)
    row = await wire.row(reply)
    assert (row["query"], row["asker_id"], row["guild_id"]) == (f"{QUERY}.", ann.id, None)


@pytest.mark.parametrize(
    "text", ["{bot} {query}", "{bot}, {query}", "{query} {bot}", "{bot} fill {query}", "{bot} !fill {query}"]
)
async def test_a_sentence_that_mentions_the_bot_is_answered(
    wire: Wire, ann: Person, elsewhere: int, text: str
) -> None:
    reply = await answered(wire, ann, text.format(bot=mention(wire), query=QUERY), elsewhere)
    assert (await wire.row(reply))["query"] == f"{QUERY}."


async def test_a_sentence_keeps_its_first_word(wire: Wire, ann: Person, elsewhere: int) -> None:
    text = "Fill the [MASK] with water"
    direct = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    for said, channel_id in (
        (text, wire.channel_id),
        (text, direct),
        (f"{text} {mention(wire)}", elsewhere),
    ):
        reply = await answered(wire, ann, said, channel_id)
        assert (await wire.row(reply))["query"] == f"{text}."


async def test_a_sentence_in_a_reply_to_the_bot_is_answered(wire: Wire, ann: Person, elsewhere: int) -> None:
    first = await wire.ask(ann, channel_id=elsewhere)
    since = ann.mark()
    question = await ann.say(elsewhere, "Nike boots are really ___", reply_to=first)
    reply = await ann.wait_for_message(
        lambda body: (body.get("message_reference") or {}).get("message_id") == question["id"], since=since
    )
    assert (await wire.row(reply))["query"] == "Nike boots are really [MASK]."


async def test_a_sentence_is_answered_in_a_listed_channel_and_in_its_threads(wire: Wire, ann: Person) -> None:
    await answered(wire, ann, QUERY, wire.channel_id)
    start = await ann.say(wire.channel_id, QUIET)
    path = f"/channels/{wire.channel_id}/messages/{start['id']}/threads"
    thread = await ann.request("POST", path, {"name": "boots"})
    await answered(wire, ann, QUERY, int(thread["id"]))


async def test_a_sentence_is_not_answered_in_a_channel_that_is_not_listed(
    wire: Wire, ann: Person, elsewhere: int
) -> None:
    await unanswered(wire, ann, [QUERY, "Nike shoes are very ___"], elsewhere)


async def test_talk_in_a_listed_channel_is_not_answered(wire: Wire, ann: Person) -> None:
    await unanswered(wire, ann, [QUIET, *TALK], wire.channel_id)


async def test_a_sentence_that_cannot_be_answered_is_told_what_to_change(wire: Wire, ann: Person) -> None:
    reply = await wire.say(ann, "[MASK] [MASK] [MASK] [MASK] shoes")
    assert reply["content"] == say("errors.too_many_masks", masks=4, max_masks=3)


async def test_bots_and_webhooks_are_not_heard(wire: Wire, ann: Person) -> None:
    parrot = add_person(wire.sandbox, "parrot", guild_id=wire.sandbox.guild_id, is_bot=True)
    world, since = wire.sandbox.world, ann.mark()
    async with wire.person("ada") as ada:
        hook = await ada.request("POST", f"/channels/{wire.channel_id}/webhooks", {"name": "news"})
        await ada.request("POST", f"/webhooks/{hook['id']}/{hook['token']}", {"content": QUERY})
    for text in (QUERY, f"{mention(wire)} {QUERY}", f"{mention(wire)} hello"):
        channel, payload = world.find_channel(wire.channel_id), MessagePayload(content=text)
        wire.sandbox.gateway.dispatch(post_message(world, channel, author=parrot, payload=payload)[1])
    reply = await wire.ask(ann)
    assert [one["id"] for one in await wire.by_bot(ann, since=since)] == [reply["id"]]


async def test_who_opted_out_is_heard_only_where_they_speak_to_the_bot(
    wire: Wire, ann: Person, elsewhere: int
) -> None:
    await privacy.opt_out(wire.app.database, ann.id, now=datetime.now(UTC))
    await unanswered(wire, ann, [QUERY], wire.channel_id)
    await answered(wire, ann, f"{mention(wire)} {QUERY}", elsewhere)


async def test_a_greeting_gets_one_friendly_line_with_an_example(
    wire: Wire, ann: Person, elsewhere: int
) -> None:
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    said = (await wire.say(ann, "hello", channel_id=channel_id))["content"]
    assert said == say("listening.hello", example=examples().example, prefix="!")
    said = (await wire.say(ann, f"hello {mention(wire)}", channel_id=elsewhere))["content"]
    assert said == say("listening.hello", example=f"@fillbot {examples().example}", prefix="!")


async def test_greetings_are_limited(wire: Wire, ann: Person) -> None:
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    since = ann.mark()
    for _ in range(5):
        await ann.say(channel_id, "hello")
    reply = await wire.ask(ann, channel_id=channel_id)
    by_bot = await wire.by_bot(ann, since=since)
    assert [one["content"][:6] for one in by_bot if one["id"] != reply["id"]] == ["Hello!", "Hello!"]


async def test_thanks_in_a_reply_are_not_answered(wire: Wire, ann: Person, elsewhere: int) -> None:
    first = await wire.ask(ann, channel_id=elsewhere)
    since = ann.mark()
    await ann.say(elsewhere, "thank you", reply_to=first)
    reply = await wire.ask(ann, channel_id=elsewhere)
    assert [one["id"] for one in await wire.by_bot(ann, since=since)] == [reply["id"]]


async def test_a_stranger_is_told_where_the_bot_works(wire: Wire) -> None:
    stranger = add_person(wire.sandbox, "passer-by")
    add_guild(wire.sandbox, "Far away", member_ids=[stranger.id, wire.sandbox.bot_user_id])
    async with wire.person("passer-by") as person:
        channel_id = await person.direct_channel_id(wire.sandbox.bot_user_id)
        assert (await wire.say(person, "hello", channel_id=channel_id))["content"] == say("errors.not_listed")


@pytest.mark.parametrize("text", ["{bot} help", "{bot} !help", "{bot}!help"])
async def test_a_command_may_follow_a_mention(wire: Wire, ann: Person, elsewhere: int, text: str) -> None:
    reply = await wire.say(ann, text.format(bot=mention(wire)), channel_id=elsewhere)
    assert reply["embeds"][0]["title"] == say("help.title")


async def test_text_without_a_blank_is_neither_stored_nor_logged_nor_kept(
    wire: Wire, ann: Person, elsewhere: int
) -> None:
    direct_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    before = await stored(wire)
    with capture_logs() as logs:
        await ann.say(wire.channel_id, QUIET)
        await wire.say(ann, QUIET, channel_id=direct_id)
        await wire.say(ann, f"{mention(wire)} {QUIET}", channel_id=elsewhere)
    assert await stored(wire) == before
    kept = [one.content for one in wire.app.bot.questions._answered.values()]
    assert QUIET not in f"{logs} {kept}"


async def test_an_edited_sentence_is_answered_in_the_same_reply(wire: Wire, ann: Person) -> None:
    since = ann.mark()
    question = await ann.say(wire.channel_id, QUERY)
    reply = await ann.wait_for_event(
        "MESSAGE_CREATE",
        predicate=lambda body: (body.get("message_reference") or {}).get("message_id") == question["id"],
        since=since,
    )
    await wire.row(reply)
    await ann.edit(question, "Nike boots are really ___")
    edited = await ann.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda body: body["id"] == reply["id"] and bool(body["embeds"])
    )
    assert edited["embeds"][0]["description"].startswith("Nike boots")


async def test_a_greeting_that_becomes_a_sentence_is_answered(wire: Wire, ann: Person) -> None:
    question = await ann.say(wire.channel_id, "hello")
    since = ann.mark()
    await ann.edit(question, "Nike boots are really ___")
    await ann.wait_for_message(
        lambda body: bool(body["embeds"]) and body["embeds"][0]["description"].startswith("Nike boots"),
        since=since,
    )


async def test_help_names_the_listed_channels(wire: Wire, ann: Person) -> None:
    fields = {one["name"]: one["value"] for one in (await wire.say(ann, "!help"))["embeds"][0]["fields"]}
    assert f"<#{wire.channel_id}>" in fields[say("help.without_command")]
