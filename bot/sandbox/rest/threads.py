"""Routes for threads: opening, changing, joining and leaving them."""

from typing import Any

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import check_bool, check_choice, check_object, check_text, json_object, one_of, whole
from bot.sandbox.messages.message_objects import message_json
from bot.sandbox.messages.payloads import Upload, read_payload
from bot.sandbox.messages.posting import post_message
from bot.sandbox.messages.threads import change_members, change_thread, check_not_archived, open_thread
from bot.sandbox.rest.api import Call, Routes
from bot.sandbox.rest.messages import check_may_send
from bot.sandbox.world.objects import channel_json, thread_member_json
from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import THREADS, WITH_POSTS, Channel, ChannelKind, Json

UNNAMED_KIND = int(ChannelKind.PRIVATE_THREAD)  # Discord's default type of a thread
CHANNEL = "/channels/{channel_id}"

_check_options = json_object(
    auto_archive_duration=one_of(60, 1440, 4320, 10080),  # minutes
    rate_limit_per_user=whole(0, 21_600),  # seconds
    invitable=check_bool,
)
routes = Routes()


@routes.api("POST", CHANNEL + "/threads", status=201)
async def start(call: Call) -> Json:
    """Open a thread without a starting message; a forum's post includes its first message."""
    channel = call.channel()
    body, uploads = await call.read_body()
    name = _checked_name(body)
    if channel.kind in WITH_POSTS:
        return _post(call, channel, name=name, body=body, uploads=uploads)
    kind = ChannelKind(check_choice(body.get("type", UNNAMED_KIND), "type", sorted(THREADS)))
    is_private = kind is ChannelKind.PRIVATE_THREAD
    call.require(
        channel, Permission.CREATE_PRIVATE_THREADS if is_private else Permission.CREATE_PUBLIC_THREADS
    )
    thread, events = open_thread(call.world, channel, name=name, owner_id=call.user_id, kind=kind)
    call.dispatch(events)
    return channel_json(call.world, thread, call.user_id)


def _post(call: Call, forum: Channel, *, name: str, body: Json, uploads: dict[int, Upload]) -> Json:
    """Open a thread in a forum with its first message."""
    world, user_id = call.world, call.user_id
    payload = read_payload(check_object(body.get("message"), "message"), uploads)
    check_may_send(call, forum, payload, is_first=True)
    thread, events = open_thread(world, forum, name=name, owner_id=user_id)
    call.dispatch(events)
    message, events = post_message(world, thread, author=call.user, payload=payload)
    call.dispatch(events)
    return channel_json(world, thread, user_id) | {"message": message_json(world, message, user_id)}


@routes.api("POST", CHANNEL + "/messages/{message_id}/threads", status=201)
async def start_from_message(call: Call) -> Json:
    """Open a thread from a message."""
    call.require(call.channel(), Permission.CREATE_PUBLIC_THREADS)
    name = _checked_name(await call.read_object())
    channel, message = call.message()
    thread, events = open_thread(call.world, channel, name=name, owner_id=call.user_id, message=message)
    call.dispatch(events)
    return channel_json(call.world, thread, call.user_id)


@routes.api("PATCH", CHANNEL)
async def update_thread(call: Call) -> Json:
    """Rename, archive, reopen or lock a thread; other channels cannot be changed."""
    thread = _thread(call)
    body = await call.read_object()
    name = _checked_name(body) if "name" in body else None
    is_archived = check_bool(body.get("archived"), "archived")
    is_locked = check_bool(body.get("locked"), "locked")
    is_for_managers = thread.owner_id != call.user_id or is_locked is not None or thread.is_locked
    if is_for_managers:
        call.require(thread, Permission.MANAGE_THREADS)
    if is_archived is None:
        check_not_archived(thread)
    thread, events = change_thread(
        call.world, thread, name=name, is_archived=is_archived, is_locked=is_locked
    )
    call.dispatch(events)
    return channel_json(call.world, thread, call.user_id)


@routes.api("GET", CHANNEL + "/thread-members")
async def list_members(call: Call) -> list[Json]:
    """Return the members of a thread."""
    thread = _thread(call)
    return [thread_member_json(call.world, thread, one) for one in thread.member_ids]


@routes.api("PUT", CHANNEL + "/thread-members/{user_id}")
async def add_member(call: Call) -> None:
    """Join a thread, or add someone else."""
    thread = _thread(call)
    check_not_archived(thread)
    target_id = call.path_user_id()
    if call.world.member_in(thread, target_id) is None:
        raise ApiError(Refusal.UNKNOWN_MEMBER)
    if target_id != call.user_id:
        call.require(thread, Permission.SEND_MESSAGES_IN_THREADS)
    call.dispatch(change_members(call.world, thread, added=[target_id]))


@routes.api("DELETE", CHANNEL + "/thread-members/{user_id}")
async def remove_member(call: Call) -> None:
    """Leave a thread, or remove someone else."""
    thread = _thread(call)
    check_not_archived(thread)
    target_id = call.path_user_id()
    is_owner = thread.kind is ChannelKind.PRIVATE_THREAD and thread.owner_id == call.user_id
    if target_id != call.user_id and not is_owner:
        call.require(thread, Permission.MANAGE_THREADS)
    call.dispatch(change_members(call.world, thread, removed=[target_id]))


def _thread(call: Call) -> Channel:
    """Return the thread of the path."""
    channel = call.channel()
    if not channel.is_thread:
        raise ApiError(Refusal.WRONG_CHANNEL_TYPE)
    return channel


def _checked_name(body: Json) -> str:
    """Return the name of a thread after validating it and the fields next to it."""
    name: Any = body.get("name", "")
    check_text(name, "name", at_least=1, at_most=100)
    _check_options(body, "")
    return str(name)
