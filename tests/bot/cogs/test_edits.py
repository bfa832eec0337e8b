"""Edited and deleted questions over the wire."""

import pytest
from support.people import Json, Person
from support.wire import QUERY, Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")
OTHER = "Nike boots are really [MASK]"


def shows(reply: Json, text: str) -> bool:
    """Whether a reply completes a sentence that begins so."""
    return bool(reply["embeds"]) and reply["embeds"][0]["description"].startswith(text)


async def asked(wire: Wire, person: Person, text: str) -> tuple[Json, Json]:
    """A question and the reply to it."""
    since = person.mark()
    question = await person.say(wire.channel_id, text)

    def is_reply(body: Json) -> bool:
        return (body.get("message_reference") or {}).get("message_id") == question["id"]

    return question, await person.wait_for_event("MESSAGE_CREATE", predicate=is_reply, since=since)


async def edited_reply(wire: Wire, person: Person, question: Json, text: str) -> Json:
    """Edit a question; return the message that completes the new sentence."""
    since = person.mark()
    await person.edit(question, text)
    return await person.wait_for_message(lambda body: shows(body, "Nike boots"), since=since)


async def test_an_edited_question_is_answered_in_the_same_reply_while_nobody_voted(
    wire: Wire, ann: Person
) -> None:
    question, reply = await asked(wire, ann, f"!fill {QUERY}")
    edited = await edited_reply(wire, ann, question, f"!fill {OTHER}")
    assert edited["id"] == reply["id"]
    assert (await wire.row(edited))["query"] == f"{OTHER}."


async def test_a_vote_after_the_edit_belongs_to_the_new_prediction(
    wire: Wire, ann: Person, bob: Person
) -> None:
    question, _ = await asked(wire, ann, f"!fill {QUERY}")
    edited = await edited_reply(wire, ann, question, f"!fill {OTHER}")
    word = (await wire.row(edited))["candidates"][0]["word"]
    await bob.react(edited, "👍")
    await wire.until_votes(edited, (bob, 1))
    assert [vote[1] for vote in await wire.votes(edited)] == [word]


async def test_an_edited_question_is_answered_in_a_new_reply_once_somebody_voted(
    wire: Wire, ann: Person, bob: Person
) -> None:
    question, reply = await asked(wire, ann, f"!fill {QUERY}")
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))
    edited = await edited_reply(wire, ann, question, f"!fill {OTHER}")
    assert edited["id"] != reply["id"]
    assert len(await wire.votes(reply)) == 1
    assert await wire.votes(edited) == []


@pytest.mark.parametrize(
    "refused", ["!fill no blank here", "!fill", "!fill [MASK] [MASK] [MASK] [MASK] [MASK] x"]
)
async def test_a_refused_question_is_answered_in_the_refusal_when_it_is_mended(
    wire: Wire, ann: Person, refused: str
) -> None:
    question, reply = await asked(wire, ann, refused)
    edited = await edited_reply(wire, ann, question, f"!fill {OTHER}")
    assert edited["id"] == reply["id"]
    assert not edited["content"]
    await wire.seeded(ann, edited)


async def test_a_text_that_becomes_a_question_is_answered(wire: Wire, ann: Person) -> None:
    message = await ann.say(wire.channel_id, f"fill {QUERY}")
    edited = await edited_reply(wire, ann, message, f"!fill {OTHER}")
    assert edited["message_reference"]["message_id"] == message["id"]


async def test_an_edit_that_breaks_a_question_says_so_in_its_reply(wire: Wire, ann: Person) -> None:
    question, reply = await asked(wire, ann, f"!fill {QUERY}")
    since = ann.mark()
    await ann.edit(question, "!fill nothing missing")
    broken = await ann.wait_for_message(
        lambda body: body["id"] == reply["id"] and body["content"], since=since
    )
    assert "nothing missing [MASK]" in broken["content"]
    assert broken["embeds"] == []
    assert broken["components"] == []


async def test_the_reply_to_a_deleted_question_goes_with_it(wire: Wire, ann: Person) -> None:
    question, reply = await asked(wire, ann, f"!fill {QUERY}")
    since = ann.mark()
    await ann.delete(question)
    await ann.wait_for_event("MESSAGE_DELETE", predicate=lambda body: body["id"] == reply["id"], since=since)


async def test_a_reply_that_was_voted_on_outlives_its_question(wire: Wire, ann: Person, bob: Person) -> None:
    question, reply = await asked(wire, ann, f"!fill {QUERY}")
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))
    since = ann.mark()
    await ann.delete(question)
    await wire.ask(ann)  # by then the deletion was handled
    assert not [
        one for one in ann.events[since:] if one[0] == "MESSAGE_DELETE" and one[1]["id"] == reply["id"]
    ]
    assert len(await wire.votes(reply)) == 1
