"""Thumbs over the wire become votes, and nothing else does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_person
from support.wire import Wire, eventually

from storage.database import Database
from storage.votes.predictions import attach_messages, count_votes

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def reply(wire: Wire, ann: Person) -> Json:
    """A reply to vote on."""
    return await wire.ask(ann)


@pytest_asyncio.fixture(loop_scope="module")
async def ada(wire: Wire) -> AsyncIterator[Person]:
    """The admin."""
    async with wire.person("ada") as person:
        yield person


async def test_the_bots_own_thumbs_are_no_votes(wire: Wire, reply: Json) -> None:
    assert await wire.votes(reply) == []


@pytest.mark.parametrize(("thumb", "value"), [("👍", 1), ("👎", -1), ("👍🏽", 1), ("👎🏿", -1)])
async def test_a_thumb_of_any_skin_votes_on_the_top_word(
    wire: Wire, bob: Person, reply: Json, thumb: str, value: int
) -> None:
    await bob.react(reply, thumb)
    await wire.until_votes(reply, (bob, value))


async def test_everybody_has_a_vote(wire: Wire, ann: Person, bob: Person, reply: Json) -> None:
    await ann.react(reply, "👍")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (ann, 1), (bob, -1))


async def test_a_thumb_rates_the_top_word_of_each_mask(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await wire.ask(ann, "[MASK] shoes are [MASK]")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (bob, -1))
    assert len(await wire.votes(reply)) == 2


async def test_the_other_thumb_changes_the_vote(wire: Wire, bob: Person, reply: Json) -> None:
    await bob.react(reply, "👍")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (bob, -1))


async def test_taking_the_thumb_back_withdraws_the_vote(wire: Wire, bob: Person, reply: Json) -> None:
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))
    await bob.unreact(reply, "👍")
    await wire.until_votes(reply)


async def test_taking_back_the_overridden_thumb_changes_nothing(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    await bob.react(reply, "👍")
    await bob.react(reply, "👎")
    await bob.unreact(reply, "👍")
    await ann.react(reply, "👍")  # events are counted in order: the three before it are in
    await wire.until_votes(reply, (ann, 1), (bob, -1))


async def test_taking_back_the_last_of_both_thumbs_lets_the_other_count(
    wire: Wire, bob: Person, reply: Json
) -> None:
    await bob.react(reply, "👍")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (bob, -1))
    await bob.unreact(reply, "👎")
    await wire.until_votes(reply, (bob, 1))
    await bob.unreact(reply, "👍")
    await wire.until_votes(reply)


async def test_taking_back_one_of_two_skin_tones_keeps_the_vote(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    await bob.react(reply, "👍")
    await bob.react(reply, "👍🏽")
    await bob.unreact(reply, "👍🏽")
    await ann.react(reply, "👎")  # events are counted in order: the three before it are in
    await wire.until_votes(reply, (ann, -1), (bob, 1))
    await bob.unreact(reply, "👍")
    await wire.until_votes(reply, (ann, -1))


async def test_clearing_one_skin_tone_keeps_the_votes_that_another_stands_for(
    wire: Wire, ada: Person, ann: Person, bob: Person, reply: Json
) -> None:
    await ann.react(reply, "👍🏽")
    await bob.react(reply, "👍🏽")
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1), (bob, 1))
    await ada.clear_reactions(reply, "👍🏽")
    await wire.until_votes(reply, (bob, 1))


def reaction(wire: Wire, person: Person, reply: Json, emoji: str, *, is_super: bool = False) -> Json:
    """What Discord tells of a reaction in the server."""
    return {
        "channel_id": reply["channel_id"],
        "message_id": reply["id"],
        "guild_id": str(wire.sandbox.guild_id),
        "user_id": str(person.id),
        "emoji": {"id": None, "name": emoji},
        "type": int(is_super),
        "burst": is_super,
    }


async def test_taking_back_the_thumb_beside_a_super_reaction_keeps_the_vote(
    wire: Wire, bob: Person, reply: Json
) -> None:
    tell = faults_of(wire.sandbox).send_event
    thumb, burst = (reaction(wire, bob, reply, "👍", is_super=one) for one in (False, True))
    tell("MESSAGE_REACTION_ADD", thumb)
    tell("MESSAGE_REACTION_ADD", burst)
    tell("MESSAGE_REACTION_ADD", reaction(wire, bob, reply, "👎"))
    tell("MESSAGE_REACTION_REMOVE", thumb)
    tell("MESSAGE_REACTION_REMOVE", reaction(wire, bob, reply, "👎"))
    await wire.until_votes(reply, (bob, 1))
    tell("MESSAGE_REACTION_REMOVE", burst)
    await wire.until_votes(reply)


async def test_a_thumb_with_a_variation_selector_is_the_thumb(wire: Wire, bob: Person, reply: Json) -> None:
    tell = faults_of(wire.sandbox).send_event
    tell("MESSAGE_REACTION_ADD", reaction(wire, bob, reply, "👍\ufe0f"))
    await wire.until_votes(reply, (bob, 1))
    tell("MESSAGE_REACTION_REMOVE", reaction(wire, bob, reply, "👍"))
    await wire.until_votes(reply)


@pytest.mark.parametrize("emoji", ["👍\u200d👎", "👎👍", "👍🏽🏽", "👍s"])
async def test_what_only_begins_like_a_thumb_is_no_vote(
    wire: Wire, ann: Person, bob: Person, reply: Json, emoji: str
) -> None:
    faults_of(wire.sandbox).send_event("MESSAGE_REACTION_ADD", reaction(wire, bob, reply, emoji))
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))


async def test_changing_ones_mind_quickly_ends_at_the_last_word(wire: Wire, bob: Person, reply: Json) -> None:
    for _ in range(10):
        await bob.react(reply, "👍")
        await bob.unreact(reply, "👍")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (bob, -1))


async def test_an_admin_taking_somebodys_thumb_away_withdraws_it(
    wire: Wire, ada: Person, bob: Person, reply: Json
) -> None:
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))
    await ada.unreact(reply, "👍", user_id=bob.id)
    await wire.until_votes(reply)


async def test_clearing_all_reactions_withdraws_every_thumb(
    wire: Wire, ada: Person, ann: Person, bob: Person, reply: Json
) -> None:
    await ann.react(reply, "👍")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (ann, 1), (bob, -1))
    await ada.clear_reactions(reply)
    await wire.until_votes(reply)


async def test_clearing_one_emoji_withdraws_those_thumbs(
    wire: Wire, ada: Person, ann: Person, bob: Person, reply: Json
) -> None:
    await ann.react(reply, "👍")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (ann, 1), (bob, -1))
    await ada.clear_reactions(reply, "👎")
    await wire.until_votes(reply, (ann, 1))


async def test_clearing_another_emoji_withdraws_nothing(
    wire: Wire, ada: Person, ann: Person, bob: Person, reply: Json
) -> None:
    await ann.react(reply, "👍")
    await ann.react(reply, "🎉")
    await ada.clear_reactions(reply, "🎉")
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (ann, 1), (bob, -1))


@pytest.mark.parametrize("emoji", ["🎉", "❤️", "✊", "🤙", "👌"])
async def test_other_emoji_are_no_votes(
    wire: Wire, ann: Person, bob: Person, reply: Json, emoji: str
) -> None:
    await bob.react(reply, emoji)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))


async def test_other_bots_have_no_vote(wire: Wire, ann: Person, reply: Json) -> None:
    robot = add_person(wire.sandbox, f"robot-{reply['id']}", guild_id=wire.sandbox.guild_id, is_bot=True)
    told = {
        "channel_id": reply["channel_id"],
        "message_id": reply["id"],
        "guild_id": reply["guild_id"],
        "user_id": str(robot.id),
        "emoji": {"id": None, "name": "👍"},
        "type": 0,
        "burst": False,
        "member": {
            "user": {
                "id": str(robot.id),
                "username": robot.name,
                "discriminator": "0",
                "avatar": None,
                "bot": True,
            },
            "roles": [],
            "joined_at": "2024-01-01T00:00:00+00:00",
            "deaf": False,
            "mute": False,
            "flags": 0,
        },
    }
    faults_of(wire.sandbox).send_event("MESSAGE_REACTION_ADD", told)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))


async def test_a_custom_emoji_called_like_a_thumb_is_no_vote(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    told = {
        "channel_id": reply["channel_id"],
        "message_id": reply["id"],
        "guild_id": reply["guild_id"],
        "user_id": str(bob.id),
        "emoji": {"id": "1234567890", "name": "👍"},
        "type": 0,
        "burst": False,
    }
    faults_of(wire.sandbox).send_event("MESSAGE_REACTION_ADD", told)
    await ann.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1))


async def test_thumbs_on_other_messages_are_no_votes(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    before = await count_votes(wire.app.database)
    said = await ann.say(wire.channel_id, "what do you think?")
    told = await wire.say(ann, "!fill no blank")
    for message in (said, told):
        await bob.react(message, "👍")
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))
    assert await count_votes(wire.app.database) == before + 1


async def test_votes_outlive_the_reply(wire: Wire, ada: Person, bob: Person, reply: Json) -> None:
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (bob, -1))
    await ada.delete(reply)

    async def is_noted() -> bool:
        return (await wire.row(reply))["deleted_at"] is not None

    await eventually(is_noted)
    await wire.until_votes(reply, (bob, -1))


async def test_votes_outlive_deletion_in_bulk(wire: Wire, ada: Person, ann: Person, bob: Person) -> None:
    replies = [await wire.ask(ann) for _ in range(2)]
    for reply in replies:
        await bob.react(reply, "👍")
    body = {"messages": [reply["id"] for reply in replies]}
    await ada.request("POST", f"/channels/{wire.channel_id}/messages/bulk-delete", body)

    async def are_noted() -> bool:
        return all([(await wire.row(reply))["deleted_at"] for reply in replies])

    await eventually(are_noted)
    for reply in replies:
        await wire.until_votes(reply, (bob, 1))


async def test_a_vote_in_a_thread_counts(wire: Wire, ann: Person, bob: Person) -> None:
    thread = await ann.request("POST", f"/channels/{wire.channel_id}/threads", {"name": "words", "type": 11})
    reply = await wire.ask(ann, channel_id=int(thread["id"]))
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (bob, -1))


async def test_a_vote_in_a_direct_message_counts_and_can_be_taken_back(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann, channel_id=await ann.direct_channel_id(wire.sandbox.bot_user_id))
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))
    await ann.unreact(reply, "👍")
    await wire.until_votes(reply)


async def test_a_thumb_in_a_direct_message_of_somebody_who_left_is_no_vote(wire: Wire, ann: Person) -> None:
    replies = [
        await wire.ask(ann, channel_id=await ann.direct_channel_id(wire.sandbox.bot_user_id))
        for _ in range(2)
    ]
    members, key = wire.sandbox.world.members, (wire.sandbox.guild_id, ann.id)
    await ann.react(replies[0], "👍")
    await wire.until_votes(replies[0], (ann, 1))
    member = members.pop(key)
    await ann.react(replies[1], "👍")
    await ann.react(replies[0], "👎")
    await ann.unreact(replies[0], "👍")  # that goes in any case, and comes after the two
    await wire.until_votes(replies[0])
    await wire.until_votes(replies[1])
    members[key] = member
    await ann.unreact(replies[1], "👍")
    await ann.react(replies[1], "👍")
    await wire.until_votes(replies[1], (ann, 1))


async def test_a_thumb_in_a_direct_message_is_kept_when_discord_does_not_say_who_is_a_member(
    wire: Wire, ann: Person
) -> None:
    reply = await wire.ask(ann, channel_id=await ann.direct_channel_id(wire.sandbox.bot_user_id))
    faults_of(wire.sandbox).fail("GET", f"/members/{ann.id}", status=501)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))


async def test_changing_ones_mind_while_one_is_looked_up_ends_at_the_last_word(
    wire: Wire, ann: Person
) -> None:
    reply = await wire.ask(ann, channel_id=await ann.direct_channel_id(wire.sandbox.bot_user_id))
    faults_of(wire.sandbox).delay("GET", f"/members/{ann.id}", delay_s=0.3)
    await ann.react(reply, "👍")
    await ann.react(reply, "👎")
    await ann.unreact(reply, "👎")
    await ann.unreact(reply, "👍")
    await ann.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1))


async def test_a_vote_on_the_reply_to_a_slash_command_counts(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await wire.slash(ann, "fill", text="shoes are [MASK]")
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))


async def test_a_thumb_given_before_the_replys_id_is_stored_counts(
    wire: Wire, ann: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is out before its id is stored: changing one's mind in between is counted too, in order."""

    async def slowly(database: Database, messages: dict[int, int]) -> None:
        await asyncio.sleep(0.2)
        await attach_messages(database, messages)

    monkeypatch.setattr("bot.answering.write_queue.attach_messages", slowly)
    reply = await wire.say(ann, "!fill shoes are [MASK]")
    await bob.react(reply, "👍")
    await bob.unreact(reply, "👍")
    await bob.react(reply, "👎")
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1), (bob, -1))


async def test_a_thumb_told_of_twice_is_one_vote(wire: Wire, bob: Person, reply: Json) -> None:
    faults_of(wire.sandbox).duplicate_next_event("MESSAGE_REACTION_ADD")
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))


async def test_votes_given_while_the_gateway_was_away_are_counted_when_it_resumes(
    wire: Wire, bob: Person, reply: Json
) -> None:
    faults_of(wire.sandbox).drop_gateway(4000)
    await bob.react(reply, "👎")
    await wire.until_votes(reply, (bob, -1))


async def test_no_thumb_is_lost_when_many_come_at_once(wire: Wire, reply: Json) -> None:
    """Straight on the gateway, as fast as it takes them."""
    before = await count_votes(wire.app.database)
    for number in range(200):
        told = {
            "channel_id": reply["channel_id"],
            "message_id": reply["id"],
            "guild_id": reply["guild_id"],
            "user_id": str(2_000_000_000_000_000_000 + number),
            "emoji": {"id": None, "name": "👍"},
            "type": 0,
            "burst": False,
        }
        faults_of(wire.sandbox).send_event("MESSAGE_REACTION_ADD", told)

    async def all_in() -> bool:
        return await count_votes(wire.app.database) == before + 200

    await eventually(all_in, timeout_s=60)


@pytest.mark.parametrize("name", [5, {"": None}, ["👍"], None, ""])
async def test_an_emoji_of_another_shape_is_no_vote(
    wire: Wire, ann: Person, reply: Json, name: object
) -> None:
    body = {"channel_id": reply["channel_id"], "message_id": reply["id"], "user_id": str(ann.id), "type": 0}
    guild_id = str(wire.sandbox.guild_id)
    with capture_logs() as logs:
        emoji = {"id": None, "name": name}
        faults_of(wire.sandbox).send_event(
            "MESSAGE_REACTION_ADD", {**body, "guild_id": guild_id, "emoji": emoji}
        )
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
    assert "event.failed" not in [line["event"] for line in logs]
