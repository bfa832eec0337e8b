"""A thumb is acknowledged by one edit of the footer of its reply, unless that would be untrue or noise."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from discord.utils import time_snowflake
from support.ballots import opt_out
from support.people import Json, Person
from support.wire import Wire, eventually

from bot.cogs.votes import Votes
from bot.voting.acknowledgement import VoteAcknowledgement

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOTED = "vote noted, thank you"


@pytest.fixture
def acknowledgement(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> VoteAcknowledgement:
    """That of the running bot, which waits only a moment."""
    votes = wire.app.bot.get_cog("Votes")
    assert isinstance(votes, Votes)
    monkeypatch.setattr(votes._acknowledgement, "_wait_s", 0.02)
    return votes._acknowledgement


@pytest.fixture
def busy_channel(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The channels that were asked about; all of them are busy."""
    asked: list[int] = []
    monkeypatch.setattr(wire.app.bot.shedding, "is_quiet", asked.append)
    return asked


def footer(message: Json) -> str:
    text: str = message["embeds"][0]["footer"]["text"]
    return text


async def acknowledged(person: Person, reply: Json) -> Json:
    """The reply once its footer says that a vote was noted."""
    return await person.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda m: m["id"] == reply["id"] and NOTED in footer(m)
    )


@pytest.mark.usefixtures("acknowledgement")
async def test_a_reply_is_edited_once_however_many_vote(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await wire.ask(ann)
    await ann.react(reply, "👍")
    edited = await acknowledged(ann, reply)
    assert footer(edited) == f"{footer(reply)} · {NOTED}"
    assert edited["components"] == reply["components"]
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (ann, 1), (bob, -1))
    other = await wire.ask(ann)  # a later vote is acknowledged, by which time the earlier one would be
    await bob.react(other, "👎")
    await acknowledged(bob, other)
    assert (await ann.message(reply))["edited_timestamp"] == edited["edited_timestamp"]


@pytest.mark.usefixtures("acknowledgement")
async def test_a_restart_does_not_repeat_it(
    wire: Wire, ann: Person, bob: Person, acknowledgement: VoteAcknowledgement
) -> None:
    reply = await wire.ask(ann)
    await ann.react(reply, "👍")
    edited = await acknowledged(ann, reply)
    acknowledgement._seen.clear()
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1), (bob, 1))
    other = await wire.ask(ann)
    await bob.react(other, "👎")
    await acknowledged(bob, other)
    assert (await ann.message(reply))["edited_timestamp"] == edited["edited_timestamp"]


async def test_a_busy_channel_is_left_alone(
    wire: Wire, ann: Person, acknowledgement: VoteAcknowledgement, busy_channel: list[int]
) -> None:
    reply = await wire.ask(ann)
    await ann.react(reply, "👍")

    async def is_given_up() -> bool:
        return bool(busy_channel) and int(reply["id"]) not in acknowledgement._seen

    await eventually(is_given_up)
    assert footer(await ann.message(reply)) == footer(reply)


async def test_a_vote_that_does_not_count_is_not_acknowledged(
    wire: Wire, ann: Person, acknowledgement: VoteAcknowledgement
) -> None:
    reply = await wire.ask(ann)
    await opt_out(wire.app.database, ann.id)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))

    async def is_given_up() -> bool:
        return int(reply["id"]) not in acknowledgement._seen

    await eventually(is_given_up)
    assert footer(await ann.message(reply)) == footer(reply)


async def test_a_reply_with_personal_data_keeps_its_footer(
    wire: Wire, ann: Person, acknowledgement: VoteAcknowledgement
) -> None:
    reply = await wire.ask(ann, "mail ann@example.org that shoes are [MASK]")
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))
    assert await acknowledgement._edit(wire.channel_id, int(reply["id"]))
    assert footer(await ann.message(reply)) == footer(reply)


async def test_a_reply_of_more_than_an_hour_ago_is_left_alone(acknowledgement: VoteAcknowledgement) -> None:
    message_id = time_snowflake(datetime.now(UTC) - timedelta(hours=1))
    acknowledgement.thumb_noted(1, message_id)
    assert message_id not in acknowledgement._seen
