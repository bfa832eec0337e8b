"""`!undo` over the wire: what is said to be taken back is gone, and nothing else."""

import pytest
from support.ballots import votes_on_message
from support.people import Json, Person
from support.sandbox_world import add_channel
from support.wire import EPHEMERAL, QUERY, Wire, eventually, voted

from bot.features import undo

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOTHING = "You have no vote that I could take back."


async def words_of(wire: Wire, reply: Json, person: Person) -> list[tuple[str, int, str]]:
    found = await votes_on_message(wire.app.database, int(reply["id"]))
    return sorted((v.word, v.value, v.via) for v in found if v.voter_id == person.id)


async def choose(person: Person, reply: Json, menu: int, *values: str) -> None:
    """Choose in a menu under a reply, and wait until it is confirmed."""
    since = person.mark()
    await person.select(reply, reply["components"][menu]["components"][0]["custom_id"], values)
    await person.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)


async def test_votes_are_taken_back_one_after_the_other(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await voted(wire, ann, QUERY)
    await bob.react(reply, "👎")
    words = [one["word"] for one in (await wire.row(reply))["candidates"]]
    await choose(ann, reply, 1, f"0:{words[1]}", f"0:{words[2]}")

    first = (await wire.say(ann, "!undo"))["content"]
    listed = ", ".join(f"👎 {word}" for word in sorted(words[1:3]))
    assert first == (
        f"Taken back: your choice in the menu, {listed}, in “Nike shoes are very \\[MASK\\].”. "
        "The next run learns without it."
    )
    assert await words_of(wire, reply, ann) == [(words[0], 1, "reaction")]

    second = (await wire.say(ann, "!undo"))["content"].split("\n")
    assert second[0].startswith(f"Taken back: your vote by thumb, 👍 {words[0]}, in “Nike")
    assert second[1].startswith("Your 👍 stays under that reply until you remove it")
    assert await words_of(wire, reply, ann) == []
    assert (await wire.say(ann, "!undo"))["content"] == NOTHING
    assert [v for *_, v in await wire.votes(reply)] == [-1]  # Bob's


async def test_a_thumb_that_was_taken_back_is_not_read_back(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await voted(wire, ann, QUERY)
    await wire.say(ann, "!undo")
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))
    await wire.app.reconcile.read_again(wire.channel_id, wire.sandbox.guild_id, int(reply["id"]))
    await wire.until_votes(reply, (bob, 1))
    await ann.unreact(reply, "👍")
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1), (bob, 1))


async def test_a_thumb_just_given_is_the_last_vote(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    await ann.react(reply, "👎")
    assert "👎" in (await wire.say(ann, "!undo"))["content"]

    async def is_gone() -> bool:
        return await wire.votes(reply) == []

    await eventually(is_gone)


async def test_a_sentence_of_another_channel_is_shown_to_the_voter_alone(wire: Wire, ann: Person) -> None:
    secret = add_channel(wire.sandbox, "secret-undo", only_for=[ann.id, wire.sandbox.bot_user_id]).id
    for _ in range(2):
        await voted(wire, ann, "the secret plan is [MASK]", channel_id=secret)
    text = (await wire.say(ann, "!undo"))["content"]
    assert "in a sentence from another channel" in text
    assert "secret" not in text
    reply = await wire.slash(ann, "undo")
    assert reply["flags"] & EPHEMERAL
    assert "the secret plan is" in reply["content"]


async def test_a_vote_that_keeps_changing_can_be_taken_back_later(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def changed(*_: object) -> int:
        return 0

    reply = await wire.ask(ann)
    word = (await wire.row(reply))["candidates"][0]["word"]
    await choose(ann, reply, 0, f"0:{word}")
    with monkeypatch.context() as patch:
        patch.setattr(undo, "withdraw", changed)
        assert "Please try again" in (await wire.say(ann, "!undo"))["content"]
    assert await words_of(wire, reply, ann) == [(word, 1, "menu")]
    assert (await wire.say(ann, "!undo"))["content"].startswith("Taken back: your choice in the menu")


async def test_people_who_did_not_vote_hear_that(wire: Wire, ann: Person, bob: Person) -> None:
    await voted(wire, ann, QUERY)
    assert (await wire.say(bob, "!undo"))["content"] == NOTHING
