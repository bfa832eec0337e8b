"""Channels in which the bot lacks a permission, and what it says there."""

import itertools

from support.people import Json, Person
from support.sandbox_world import add_channel, change_overwrite, deny
from support.wire import Wire

from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import ChannelKind

_numbers = itertools.count(1)


def channel_without(wire: Wire, *permissions: Permission, kind: ChannelKind = ChannelKind.TEXT) -> int:
    """A new channel in which the bot is denied these, and knows it."""
    sandbox = wire.sandbox
    channel = add_channel(sandbox, f"strict-{next(_numbers)}", kind=kind)
    for permission in permissions:
        deny(sandbox, channel.id, sandbox.bot_user_id, permission)
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
