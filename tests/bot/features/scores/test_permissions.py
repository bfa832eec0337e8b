"""A picture in a channel where the bot may not attach files."""

import itertools

import pytest
from support.people import Json, Person
from support.wire import QUERY, Wire

from bot.sandbox.world.channels import change_overwrite
from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import ChannelKind

pytestmark = pytest.mark.asyncio(loop_scope="module")
_numbers = itertools.count(1)


def channel_without(wire: Wire, *permissions: Permission, kind: ChannelKind = ChannelKind.TEXT) -> int:
    """A new channel in which the bot is denied these, and knows it."""
    sandbox = wire.sandbox
    channel = sandbox.add_channel(f"strict-{next(_numbers)}", kind=kind)
    for permission in permissions:
        sandbox.deny(channel.id, sandbox.bot_user_id, permission)
    return channel.id


def deny_unheard(wire: Wire, channel_id: int, permission: Permission) -> None:
    """Deny the bot something without telling it, so that what it knows is wrong."""
    channel = wire.sandbox.world.find_channel(channel_id)
    change_overwrite(wire.sandbox.world, channel, wire.sandbox.bot_user_id, deny=permission)


async def said_by_bot(wire: Wire, person: Person, text: str, channel_id: int) -> Json:
    """Post a message, and return the bot's next one there, whether it is a reply or not."""
    since = person.mark()
    await person.say(channel_id, text)
    return await person.wait_for_event(
        "MESSAGE_CREATE",
        predicate=lambda body: (
            body["author"]["id"] == str(wire.sandbox.bot_user_id) and body["channel_id"] == str(channel_id)
        ),
        since=since,
    )


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_picture_that_may_not_be_attached_is_left_out(
    wire: Wire, ann: Person, is_known: bool
) -> None:
    channel_id = channel_without(wire, *[Permission.ATTACH_FILES] * is_known)
    if not is_known:
        deny_unheard(wire, channel_id, Permission.ATTACH_FILES)
    told = await said_by_bot(wire, ann, f"!scores {QUERY}", channel_id)
    assert "Attach Files" in told["content"]
    assert told["embeds"]
    assert told["embeds"][0].get("image") is None
    assert not told["attachments"]
