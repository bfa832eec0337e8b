"""`!why` over the wire, where two people of one mind are heard, with real versions."""

import pytest
from support.people import Person
from support.wire import EPHEMERAL, Pretend, Wire, best_words, fields_of

from bot.texts import say

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def wire(serving_second: Wire) -> Wire:
    return serving_second


async def test_why_tells_place_votes_and_versions(wire: Wire, ann: Person, bob: Person) -> None:
    text = "the warm socks are [MASK]"
    reply = await wire.ask(ann, text)
    for person in (ann, bob):
        await person.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1), (bob, -1))
    word = (await wire.row(reply))["candidates"][0]["word"]

    told = fields_of(await wire.say(ann, f"!why {word.upper()} in {text}"))
    assert told["Now"].split("\n")[0].startswith("Model v0002 alone: place 1, ")
    assert told["Now"].endswith("With the votes: left out, since people rejected it")
    assert told["Votes on this sentence"].startswith("👍 0 · 👎 2 from 2 people, yours 👎")
    now, before = told["Model versions"].split("\n")
    assert now.startswith("**v0002 (answers now)** · place 1, ")
    rank = best_words(wire, "v0001", text).index(word) + 1
    assert before.startswith(f"**v0001** · place {rank}, ")
    assert before.endswith("the base model, before any votes")


async def test_why_tells_nobody_who_voted_or_where(wire: Wire, ann: Person, bob: Person) -> None:
    """A sentence that was asked in a direct message: who asks the same learns of the votes, and no more."""
    sentence = "the secret plan is [MASK]"
    reply = await wire.ask(bob, sentence, channel_id=await bob.direct_channel_id(wire.sandbox.bot_user_id))
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))
    word = (await wire.row(reply))["candidates"][0]["word"]
    told = repr(await wire.say(ann, f"!why {word} in {sentence}"))
    assert not [one for one in (bob.token, str(bob.id), reply["channel_id"], reply["id"]) if one in told]
    told = repr(await wire.say(ann, f"!why {word} in the secret plans are [MASK]"))
    assert "plan is" not in told


async def test_why_answers_a_slash_command_for_the_asker_alone(wire: Wire, ann: Person) -> None:
    reply = await wire.slash(ann, "why", word="breathable", text="in winter shoes are [MASK]")
    assert reply["flags"] & EPHEMERAL
    assert reply["embeds"][0]["description"] == "in winter shoes are **breathable**."
    assert fields_of(reply)["Now"].startswith("Model v0002 cannot offer this word")
    assert fields_of(reply)["Votes on this sentence"].startswith(
        "No word in this sentence has been rated yet"
    )


async def test_a_sentence_without_a_blank_is_refused(wire: Wire, ann: Person) -> None:
    reply = await wire.say(ann, "!why cheap in no blank here")
    assert reply["content"].startswith("Which word is missing? Put `[MASK]` there")


async def test_what_is_missing_is_named(wire: Wire, ann: Person) -> None:
    assert (await wire.say(ann, "!why cheap"))["content"] == "Something is missing. Try `!why WORD in TEXT`."


async def test_a_child_that_fails_is_said_to(wire: Wire, ann: Person, pretend: Pretend) -> None:
    pretend("raise SystemExit(3)")
    reply = await wire.say(ann, "!why cheap in the old boots are [MASK]")
    assert reply["content"].startswith("I could not load the earlier model versions just now.")


async def test_a_reply_is_explained_by_its_bold_word(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    word = (await wire.row(reply))["candidates"][0]["word"]
    told = await wire.use_on(ann, reply, "Why this word?")
    assert told["embeds"][0]["title"] == f"Why “{word}”?"
    assert told["flags"] & EPHEMERAL


async def test_other_messages_are_not_explained(wire: Wire, ann: Person) -> None:
    told = await wire.use_on(ann, await ann.say(wire.channel_id, "Boots are warm"), "Why this word?")
    assert told["content"] == say("why.no_reply")
