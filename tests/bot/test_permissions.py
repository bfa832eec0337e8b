"""Replies in channels where the bot lacks a permission, over the wire."""

import pytest
from structlog.testing import capture_logs
from support.denied_channels import channel_without, deny_unheard, said_by_bot
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_thread
from support.wire import QUERY, Wire, eventually

from bot.permissions import known_permissions
from bot.sandbox.errors import Refusal
from bot.sandbox.world.permissions import Permission

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def lines_of(wire: Wire, person: Person, text: str, channel_id: int) -> list[Json]:
    """Post a message that cannot be answered. Returns what is logged as a warning or worse."""
    with capture_logs() as logs:
        await person.say(channel_id, text)

        async def is_logged() -> bool:
            return any(line["event"] == "reply.not_sent" for line in logs)

        await eventually(is_logged)
        await wire.ask(person)  # by now a second attempt would have been logged too
    return [line for line in logs if line["log_level"] in ("warning", "error", "critical")]


@pytest.mark.parametrize("is_known", [True, False])
async def test_an_answer_without_the_history_is_no_reply(wire: Wire, ann: Person, is_known: bool) -> None:
    channel_id = channel_without(wire, *[Permission.READ_MESSAGE_HISTORY] * is_known)
    if not is_known:
        deny_unheard(wire, channel_id, Permission.READ_MESSAGE_HISTORY)
    with capture_logs() as logs:
        told = await said_by_bot(wire, ann, f"!fill {QUERY}", channel_id)
    assert told["embeds"]
    assert "message_reference" not in told or told["message_reference"] is None
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_a_reply_to_what_cannot_be_replied_to_comes_without_a_reference(
    wire: Wire, ann: Person
) -> None:
    faults_of(wire.sandbox).refuse("POST", "/messages$", Refusal.NO_HISTORY_TO_REPLY_TO)
    assert (await said_by_bot(wire, ann, f"!fill {QUERY}", wire.channel_id))["embeds"]


@pytest.mark.parametrize("text", [f"!fill {QUERY}", "!help", "!model"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_an_embed_that_may_not_be_shown_is_said_by_name(
    wire: Wire, ann: Person, text: str, is_known: bool
) -> None:
    channel_id = channel_without(wire, *[Permission.EMBED_LINKS] * is_known)
    if not is_known:
        deny_unheard(wire, channel_id, Permission.EMBED_LINKS)
    told = await said_by_bot(wire, ann, text, channel_id)
    assert "Embed Links" in told["content"]
    assert not told["embeds"]
    assert not told["components"]


@pytest.mark.parametrize("text", [f"!fill {QUERY}", "!fill no mask", "!help"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_channel_that_the_bot_may_not_write_in_is_one_line_in_the_log(
    wire: Wire, ann: Person, text: str, is_known: bool
) -> None:
    channel_id = channel_without(wire, *[Permission.SEND_MESSAGES] * is_known)
    if not is_known:
        deny_unheard(wire, channel_id, Permission.SEND_MESSAGES)
    lines = await lines_of(wire, ann, text, channel_id)
    assert [line["event"] for line in lines] == ["reply.not_sent"]
    assert "exc_info" not in lines[0]


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal.MISSING_ACCESS,
        Refusal.CANNOT_SEND_TO_USER,
        Refusal.NO_MESSAGES_HERE,
        Refusal.THREAD_ARCHIVED,
        Refusal.THREAD_LOCKED,
        Refusal.UNKNOWN_CHANNEL,
        Refusal.FORBIDDEN,
    ],
)
async def test_a_refused_reply_is_one_line_in_the_log(wire: Wire, ann: Person, refusal: Refusal) -> None:
    channel_id = channel_without(wire)
    faults_of(wire.sandbox).refuse("POST", f"/channels/{channel_id}/messages$", refusal, times=None)
    try:
        lines = await lines_of(wire, ann, f"!fill {QUERY}", channel_id)
    finally:
        faults_of(wire.sandbox).clear()
    assert [(line["event"], line.get("code")) for line in lines] == [("reply.not_sent", refusal.value[1])]


async def test_a_thread_is_answered_where_its_channel_takes_no_messages(wire: Wire, ann: Person) -> None:
    """Threads have a permission of their own."""
    channel_id = channel_without(wire, Permission.SEND_MESSAGES)
    thread = add_thread(wire.sandbox, "talk", parent_id=channel_id)
    assert (await said_by_bot(wire, ann, f"!fill {QUERY}", thread.id))["embeds"]


async def test_a_thread_needs_a_permission_of_its_own(wire: Wire, ann: Person) -> None:
    channel_id = channel_without(wire, Permission.SEND_MESSAGES_IN_THREADS)
    thread = add_thread(wire.sandbox, "talk", parent_id=channel_id)
    lines = await lines_of(wire, ann, f"!fill {QUERY}", thread.id)
    assert [line["reason"] for line in lines] == ["missing Send Messages In Threads"]


async def test_a_slash_command_is_answered_whatever_is_missing(wire: Wire, ann: Person) -> None:
    """Its token may send all of it."""
    channel_id = channel_without(
        wire, Permission.EMBED_LINKS, Permission.READ_MESSAGE_HISTORY, Permission.SEND_MESSAGES
    )
    assert (await wire.slash(ann, "fill", channel_id=channel_id, text=QUERY))["embeds"]


async def test_nothing_is_known_of_a_channel_that_is_no_part_of_a_server(wire: Wire) -> None:
    bot = wire.app.bot
    me = bot.get_guild(wire.sandbox.guild_id).me  # type: ignore[union-attr]
    assert known_permissions(bot.get_partial_messageable(1), me) is None
    assert known_permissions(bot.get_channel(wire.channel_id), None) is None
