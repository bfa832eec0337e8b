"""What every route needs: authentication, validated input, and responses in Discord's format."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.fields import check_object
from bot.sandbox.gateway.server import Gateway
from bot.sandbox.messages.payloads import MAX_FILE_BYTES, Upload
from bot.sandbox.world.permissions import Permission, may, needed_to_read, permissions_in
from bot.sandbox.world.state import Channel, Event, Guild, Json, Message, User, World

PREFIX = "/api/v10"
WORLD = web.AppKey("world", World)
GATEWAY = web.AppKey("gateway", Gateway)
FILE_FIELD = re.compile(r"files\[(\d+)\]")
LARGEST_ID = (1 << 64) - 1
CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
}


class Call:
    """A request to the API: who makes it, and what its path, query string and body say."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.world = request.app[WORLD]
        self.gateway = request.app[GATEWAY]
        self.path = request.match_info

    def dispatch(self, events: Iterable[Event]) -> None:
        """Send events to their audience."""
        self.gateway.dispatch(events)

    @cached_property
    def user_id(self) -> int:
        """The caller's user id; refused with 401 without a valid token."""
        user_id = self.world.user_id_by_header(self.request.headers)
        if user_id is None:
            raise ApiError(Refusal.UNAUTHORIZED)
        return user_id

    @property
    def user(self) -> User:
        """The caller."""
        return self.world.users[self.user_id]

    def path_id(self, name: str) -> int:
        """Return an id from the path; refuse anything else."""
        text = self.path[name]
        if not (text.isascii() and text.isdigit() and len(text) <= 20):
            raise InvalidBodyError(name, "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
        return int(text)

    def path_user_id(self) -> int:
        """Return the user id from the path, where ``@me`` is the caller."""
        return self.user_id if self.path["user_id"] == "@me" else self.path_id("user_id")

    def guild(self) -> Guild:
        """Return the guild of the path, of which the caller must be a member."""
        user_id = self.user_id
        guild = self.world.guilds.get(self.path_id("guild_id"))
        if guild is None:
            raise ApiError(Refusal.UNKNOWN_GUILD)
        if (guild.id, user_id) not in self.world.members:
            raise ApiError(Refusal.MISSING_ACCESS)
        return guild

    def channel(self, needs: Permission = Permission.VIEW_CHANNEL) -> Channel:
        """Return the channel of the path.

        Raises:
            ApiError: 10003 for no such channel, 50001 when the caller cannot see it, 50013 without `needs`.
        """
        user_id = self.user_id
        channel = self.world.find_channel(self.path_id("channel_id"))
        if not permissions_in(self.world, user_id, channel):
            raise ApiError(Refusal.MISSING_ACCESS)
        self.require(channel, needs)
        return channel

    def readable_channel(self, needs: Permission = Permission.VIEW_CHANNEL) -> Channel:
        """Return the channel of the path, whose messages the caller may read."""
        channel = self.channel()
        self.require(channel, needed_to_read(channel), Refusal.MISSING_ACCESS)
        self.require(channel, needs)
        return channel

    def message(self) -> tuple[Channel, Message]:
        """Return the channel and the message of the path; another person's ephemeral message is unknown."""
        channel = self.readable_channel()
        message = self.world.find_message(channel.id, self.path_id("message_id"))
        if message.ephemeral_for not in (None, self.user_id):
            raise ApiError(Refusal.UNKNOWN_MESSAGE)
        return channel, message

    def require(
        self, channel: Channel, permission: Permission, refusal: Refusal = Refusal.MISSING_PERMISSIONS
    ) -> None:
        """Refuse a caller who lacks a permission in a channel."""
        if not may(self.world, self.user_id, channel, permission):
            raise ApiError(refusal)

    def query_int(self, name: str, default: int, *, at_most: int, at_least: int = 1) -> int:
        """Return an integer from the query string; refuse one out of range."""
        text = self.request.query.get(name, str(default))
        if not (text.isascii() and text.isdigit() and at_least <= int(text) <= at_most):
            limits = f"int value should be between {at_least} and {at_most}."
            raise InvalidBodyError(name, "NUMBER_TYPE_RANGE", limits)
        return int(text)

    def query_id(self, name: str) -> int:
        """Return an id from the query string, 0 without one."""
        return self.query_int(name, 0, at_most=LARGEST_ID, at_least=0)

    async def read_json(self) -> Any:
        """Return the JSON body; refuse anything else."""
        return _parsed(await self.request.read() or b"{}")

    async def read_object(self) -> Json:
        """Return the body as a JSON object; refuse anything else."""
        return check_object(await self.read_json(), "_root")

    async def read_body(self) -> tuple[Json, dict[int, Upload]]:
        """Return the JSON body and the files by index, from JSON or from multipart with ``payload_json``."""
        request = self.request
        if not request.content_type.startswith("multipart/"):
            return await self.read_object(), {}
        body: Json = {}
        uploads: dict[int, Upload] = {}
        async for part in MultipartReader(request.headers, _stream(request, await request.read())):
            if not isinstance(part, BodyPartReader):
                raise ApiError(Refusal.BAD_REQUEST)
            found = FILE_FIELD.fullmatch(part.name or "")
            if part.name == "payload_json":
                body = check_object(_parsed(await part.text()), "_root")
            elif found is not None:
                uploads[int(found[1])] = await _upload(part)
        return body, uploads


Handle = Callable[[Call], Awaitable[Any]]


class Routes(web.RouteTableDef):
    """The routes of one module."""

    def api(self, method: str, *paths: str, status: int = 200) -> Callable[[Handle], Handle]:
        """Route requests to a function that returns the JSON of the response, or None for 204."""

        def register(handle: Handle) -> Handle:
            async def respond(request: web.Request) -> web.Response:
                body = await handle(Call(request))
                return web.Response(status=204) if body is None else answer(body, status=status)

            for path in paths:
                self.route(method, PREFIX + path)(respond)
            return handle

        return register


def answer(body: Any, *, status: int = 200) -> web.Response:
    """Return JSON. The content type has no charset, because discord.py accepts only the bare one as JSON."""
    return web.Response(
        body=json.dumps(body).encode(), status=status, headers={"Content-Type": "application/json"}
    )


def refused(error: ApiError) -> web.Response:
    """Return Discord's error body."""
    return answer(error.body(), status=error.status)


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ApiError(Refusal.INVALID_JSON) from None


def _stream(request: web.Request, content: bytes) -> StreamReader:
    """Return a body that was read completely as a stream, so that later readers can read it again."""
    stream = StreamReader(request.protocol, len(content) + 1, loop=asyncio.get_running_loop())
    stream.feed_data(content)
    stream.feed_eof()
    return stream


async def _upload(part: BodyPartReader) -> Upload:
    """Return a file part. Its name determines the content type; the client's own claim is ignored."""
    content = bytes(await part.read())
    if len(content) > MAX_FILE_BYTES:
        raise ApiError(Refusal.ENTITY_TOO_LARGE)
    filename = (part.filename or "file").replace("/", "_").replace("\\", "_")
    content_type = CONTENT_TYPES.get(filename.rpartition(".")[2].lower(), "application/octet-stream")
    return Upload(filename=filename, content_type=content_type, content=content)
