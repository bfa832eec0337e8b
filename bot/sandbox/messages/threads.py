"""Threads: opening, joining and archiving them, with their events."""

from collections.abc import Iterable
from dataclasses import replace

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.messages.message_objects import message_events
from bot.sandbox.world.objects import channel_json, thread_member_json
from bot.sandbox.world.permissions import Permission, may, viewer_ids
from bot.sandbox.world.state import WITH_POSTS, Channel, ChannelKind, Event, Json, Message, MessageFlag, World

OPENED_IN = {
    ChannelKind.TEXT: (ChannelKind.PUBLIC_THREAD, ChannelKind.PRIVATE_THREAD),
    ChannelKind.ANNOUNCEMENT: (ChannelKind.ANNOUNCEMENT_THREAD,),
    **dict.fromkeys(WITH_POSTS, (ChannelKind.PUBLIC_THREAD,)),
}


def open_thread(
    world: World,
    parent: Channel,
    *,
    name: str,
    owner_id: int,
    kind: ChannelKind | None = None,
    member_ids: Iterable[int] = (),
    message: Message | None = None,
) -> tuple[Channel, list[Event]]:
    """Open a thread in `parent`; one that starts from a message has the message's id.

    Args:
        world: Changed in place.
        parent: Where; the caller has checked permissions.
        name: What the thread is called.
        owner_id: Who opens it, and joins it first.
        kind: Which of the kinds that `parent` takes; its first one when left out.
        member_ids: Who else joins it.
        message: Where it starts.

    Raises:
        ApiError: The parent takes no such thread, or the message has one already.
    """
    fitting = OPENED_IN.get(parent.kind, ())
    if not fitting or (kind is not None and kind not in fitting):
        raise ApiError(Refusal.WRONG_CHANNEL_TYPE)
    if message is not None and message.id in world.channels:
        raise ApiError(Refusal.THREAD_EXISTS)
    thread = Channel(
        id=message.id if message is not None else world.new_id(),
        kind=kind or fitting[0],
        name=name,
        guild_id=parent.guild_id,
        parent_id=parent.id,
        owner_id=owner_id,
        member_ids=tuple(dict.fromkeys((owner_id, *member_ids))),
    )
    world.channels[thread.id] = thread
    events = _created(world, thread, viewer_ids(world, thread))
    if message is not None:
        started = replace(message, flags=message.flags | MessageFlag.HAS_THREAD)
        world.store(started)
        events += message_events(world, "MESSAGE_UPDATE", started)
    return thread, events


def change_members(
    world: World, thread: Channel, *, added: Iterable[int] = (), removed: Iterable[int] = ()
) -> list[Event]:
    """Add people to a thread, or remove them."""
    out = set(removed)
    kept = tuple(one for one in thread.member_ids if one not in out)
    changed = replace(thread, member_ids=tuple(dict.fromkeys((*kept, *added))))
    if changed == thread:
        return []
    before = viewer_ids(world, thread)
    world.channels[thread.id] = changed
    after = viewer_ids(world, changed)
    joined = [one for one in changed.member_ids if one not in thread.member_ids]
    body = {
        "id": str(thread.id),
        "guild_id": str(thread.guild_id),
        "member_count": len(changed.member_ids),
        "added_members": [thread_member_json(world, changed, one) for one in joined],
        "removed_member_ids": [str(one) for one in thread.member_ids if one not in changed.member_ids],
    }
    events = _created(world, changed, after - before)
    return [*events, Event("THREAD_MEMBERS_UPDATE", body, before | after)]


def change_thread(
    world: World,
    thread: Channel,
    *,
    name: str | None = None,
    is_archived: bool | None = None,
    is_locked: bool | None = None,
) -> tuple[Channel, list[Event]]:
    """Rename, archive, reopen, lock or unlock a thread; None leaves a property unchanged."""
    changed = replace(
        thread,
        name=thread.name if name is None else name,
        is_archived=thread.is_archived if is_archived is None else is_archived,
        is_locked=thread.is_locked if is_locked is None else is_locked,
    )
    world.channels[thread.id] = changed
    viewers = viewer_ids(world, changed)
    return changed, Event.for_each("THREAD_UPDATE", viewers, lambda one: channel_json(world, changed, one))


def reopen_to_send(world: World, thread: Channel, user_id: int) -> list[Event]:
    """Reopen an archived thread for a message.

    Raises:
        ApiError: 160005 when it is locked and the author does not manage threads.
    """
    if thread.is_locked and not may(world, user_id, thread, Permission.MANAGE_THREADS):
        raise ApiError(Refusal.THREAD_LOCKED)
    return change_thread(world, thread, is_archived=False)[1] if thread.is_archived else []


def check_not_archived(channel: Channel) -> None:
    """Refuse (50083) edits, reactions and new members in an archived thread."""
    if channel.is_archived:
        raise ApiError(Refusal.THREAD_ARCHIVED)


def _created(world: World, thread: Channel, audience: Iterable[int]) -> list[Event]:
    """Announce a new thread to those who see it, and their membership to those who joined."""

    def seen_by(user_id: int) -> Json:
        body = {**channel_json(world, thread, user_id), "newly_created": True}
        if user_id in thread.member_ids:
            body["member"] = thread_member_json(world, thread, user_id)
        return body

    return Event.for_each("THREAD_CREATE", audience, seen_by)
