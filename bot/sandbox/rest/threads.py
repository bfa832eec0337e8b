"""Routes for threads: opening, changing, joining and leaving them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.fields import check_bool, check_choice, check_object, check_text, check_whole
from bot.sandbox.messages.message_objects import message_json
from bot.sandbox.messages.payloads import Upload, read_payload
from bot.sandbox.messages.posting import post_message
from bot.sandbox.messages.threads import change_members, change_thread, check_not_archived, open_thread
from bot.sandbox.rest.api import (
    GATEWAY,
    PREFIX,
    WORLD,
    answer,
    nothing,
    path_id,
    read_body,
    read_object,
    seen_channel,
)
from bot.sandbox.rest.messages import check_may_send, seen_message
from bot.sandbox.world.objects import channel_json, thread_member_json
from bot.sandbox.world.permissions import Permission, may
from bot.sandbox.world.state import THREADS, WITH_POSTS, Channel, ChannelKind, Json, World

ARCHIVED_AFTER_MINUTES = (60, 1440, 4320, 10080)
MAX_SLOW_MODE_S = 21_600
UNNAMED_KIND = int(ChannelKind.PRIVATE_THREAD)  # Discord's default type of a thread


def add_routes(app: web.Application) -> None:
    """Register these routes."""
    channel = PREFIX + "/channels/{channel_id}"
    app.router.add_patch(channel, change)
    app.router.add_post(channel + "/threads", start)
    app.router.add_post(channel + "/messages/{message_id}/threads", start_from_message)
    app.router.add_get(channel + "/thread-members", list_members)
    app.router.add_put(channel + "/thread-members/{user_id}", add_member)
    app.router.add_delete(channel + "/thread-members/{user_id}", remove_member)


async def start(request: web.Request) -> web.Response:
    """Open a thread without a starting message; a forum's post includes its first message."""
    user_id, channel = seen_channel(request)
    world = request.app[WORLD]
    body, uploads = await read_body(request)
    name = _checked_name(body)
    if channel.kind in WITH_POSTS:
        return _post(request, user_id, channel, name=name, body=body, uploads=uploads)
    kind = ChannelKind(check_choice(body.get("type", UNNAMED_KIND), "type", sorted(THREADS)))
    is_private = kind is ChannelKind.PRIVATE_THREAD
    _check_may_open(world, user_id, channel, is_private=is_private)
    thread, events = open_thread(world, channel, name=name, owner_id=user_id, kind=kind)
    request.app[GATEWAY].dispatch(events)
    return answer(channel_json(world, thread, user_id), status=201)


def _post(
    request: web.Request, user_id: int, forum: Channel, *, name: str, body: Json, uploads: dict[int, Upload]
) -> web.Response:
    """Open a thread in a forum with its first message."""
    world = request.app[WORLD]
    payload = read_payload(check_object(body.get("message"), "message"), uploads)
    check_may_send(world, user_id, forum, payload, is_first=True)
    thread, events = open_thread(world, forum, name=name, owner_id=user_id)
    request.app[GATEWAY].dispatch(events)
    message, events = post_message(world, thread, author=world.users[user_id], payload=payload)
    request.app[GATEWAY].dispatch(events)
    shape = channel_json(world, thread, user_id)
    return answer(shape | {"message": message_json(world, message, user_id)}, status=201)


async def start_from_message(request: web.Request) -> web.Response:
    """Open a thread from a message."""
    user_id, channel = seen_channel(request)
    _check_may_open(request.app[WORLD], user_id, channel, is_private=False)
    name = _checked_name(await read_object(request))
    _, _, message = seen_message(request)
    world = request.app[WORLD]
    thread, events = open_thread(world, channel, name=name, owner_id=user_id, message=message)
    request.app[GATEWAY].dispatch(events)
    return answer(channel_json(world, thread, user_id), status=201)


async def change(request: web.Request) -> web.Response:
    """Rename, archive, reopen or lock a thread; other channels cannot be changed."""
    user_id, thread = _thread(request)
    world = request.app[WORLD]
    body = await read_object(request)
    name = _checked_name(body) if "name" in body else None
    is_archived = check_bool(body.get("archived"), "archived")
    is_locked = check_bool(body.get("locked"), "locked")
    may_manage = may(world, user_id, thread, Permission.MANAGE_THREADS)
    if not may_manage and (thread.owner_id != user_id or is_locked is not None or thread.is_locked):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    if is_archived is None:
        check_not_archived(thread)
    changed, events = change_thread(world, thread, name=name, is_archived=is_archived, is_locked=is_locked)
    request.app[GATEWAY].dispatch(events)
    return answer(channel_json(world, changed, user_id))


async def list_members(request: web.Request) -> web.Response:
    """Return the members of a thread."""
    _, thread = _thread(request)
    return answer([thread_member_json(request.app[WORLD], thread, one) for one in thread.member_ids])


async def add_member(request: web.Request) -> web.Response:
    """Join a thread, or add someone else."""
    user_id, thread = _thread(request)
    check_not_archived(thread)
    target = _target(request, user_id)
    if target not in {one for guild_id, one in request.app[WORLD].members if guild_id == thread.guild_id}:
        raise ApiError(Refusal.UNKNOWN_MEMBER)
    if target != user_id and not may(
        request.app[WORLD], user_id, thread, Permission.SEND_MESSAGES_IN_THREADS
    ):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    _, events = change_members(request.app[WORLD], thread, added=[target])
    request.app[GATEWAY].dispatch(events)
    return nothing()


async def remove_member(request: web.Request) -> web.Response:
    """Leave a thread, or remove someone else."""
    user_id, thread = _thread(request)
    check_not_archived(thread)
    target = _target(request, user_id)
    owns = thread.kind is ChannelKind.PRIVATE_THREAD and thread.owner_id == user_id
    if target != user_id and not (
        owns or may(request.app[WORLD], user_id, thread, Permission.MANAGE_THREADS)
    ):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    _, events = change_members(request.app[WORLD], thread, removed=[target])
    request.app[GATEWAY].dispatch(events)
    return nothing()


def _thread(request: web.Request) -> tuple[int, Channel]:
    """Return the caller and the thread of the path."""
    user_id, channel = seen_channel(request)
    if not channel.is_thread:
        raise ApiError(Refusal.WRONG_CHANNEL_TYPE)
    return user_id, channel


def _target(request: web.Request, user_id: int) -> int:
    return user_id if request.match_info["user_id"] == "@me" else path_id(request, "user_id")


def _check_may_open(world: World, user_id: int, parent: Channel, *, is_private: bool) -> None:
    needed = Permission.CREATE_PRIVATE_THREADS if is_private else Permission.CREATE_PUBLIC_THREADS
    if not may(world, user_id, parent, needed):
        raise ApiError(Refusal.MISSING_PERMISSIONS)


def _checked_name(body: Json) -> str:
    """Return the name of a thread after validating it and the fields next to it."""
    name: Any = body.get("name", "")
    check_text(name, "name", at_least=1, at_most=100)
    if body.get("auto_archive_duration") is not None:
        check_choice(body["auto_archive_duration"], "auto_archive_duration", ARCHIVED_AFTER_MINUTES)
    if body.get("rate_limit_per_user") is not None:
        check_whole(body["rate_limit_per_user"], "rate_limit_per_user", at_most=MAX_SLOW_MODE_S)
    check_bool(body.get("invitable"), "invitable")
    return str(name)
