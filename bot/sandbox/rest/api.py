"""What every route needs: authentication, validated bodies, and responses in Discord's format."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.typedefs import Handler, Middleware

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.gateway.server import Gateway
from bot.sandbox.messages.file_limits import MAX_FILE_BYTES
from bot.sandbox.messages.payloads import Upload
from bot.sandbox.world.accounts import Accounts
from bot.sandbox.world.permissions import Permission, may, permissions_in
from bot.sandbox.world.state import Channel, Json, World

PREFIX = "/api/v10"
WORLD = web.AppKey("world", World)
GATEWAY = web.AppKey("gateway", Gateway)
ACCOUNTS = web.AppKey("accounts", Accounts)
FILE_FIELD = re.compile(r"files\[(\d+)\]")


def answer(body: Any, *, status: int = 200) -> web.Response:
    """Return JSON. The content type has no charset, because discord.py accepts only the bare one as JSON."""
    return web.Response(
        body=json.dumps(body).encode(), status=status, headers={"Content-Type": "application/json"}
    )


def nothing() -> web.Response:
    """Return 204."""
    return web.Response(status=204)


def caller_id(request: web.Request) -> int:
    """Return the caller's user id, or refuse with 401."""
    user_id = request.app[ACCOUNTS].by_header(request.headers)
    if user_id is None:
        raise ApiError(Refusal.UNAUTHORIZED)
    return user_id


def path_id(request: web.Request, name: str) -> int:
    """Return an id from the path; refuse anything else."""
    text = request.match_info[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise InvalidBodyError(name, "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
    return int(text)


def seen_channel(request: web.Request, *, needs: Permission = Permission.VIEW_CHANNEL) -> tuple[int, Channel]:
    """Return the caller and the channel of the path.

    Raises:
        ApiError: 10003 for no such channel, 50001 when the caller cannot see it, 50013 without `needs`.
    """
    user_id = caller_id(request)
    world = request.app[WORLD]
    channel = world.find_channel(path_id(request, "channel_id"))
    if not permissions_in(world, user_id, channel):
        raise ApiError(Refusal.MISSING_ACCESS)
    if not may(world, user_id, channel, needs):
        raise ApiError(Refusal.MISSING_PERMISSIONS)
    return user_id, channel


def query_int(request: web.Request, name: str, default: int, *, at_most: int, at_least: int = 1) -> int:
    """Return an integer from the query string; refuse one out of range."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and at_least <= int(text) <= at_most):
        raise InvalidBodyError(
            name, "NUMBER_TYPE_RANGE", f"int value should be between {at_least} and {at_most}."
        )
    return int(text)


async def read_json(request: web.Request) -> Any:
    """Return the JSON body; refuse anything else."""
    try:
        return json.loads(await request.read() or b"{}")
    except ValueError:
        raise ApiError(Refusal.INVALID_JSON) from None


async def read_object(request: web.Request) -> Json:
    """Return the body as a JSON object; refuse anything else."""
    return as_object(await read_json(request))


def as_object(body: Any) -> Json:
    """Return `body` if it is a JSON object; refuse anything else."""
    if not isinstance(body, dict):
        raise InvalidBodyError("_root", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
    return body


async def read_body(request: web.Request) -> tuple[Json, dict[int, Upload]]:
    """Return the JSON body and the files by index, from JSON or from multipart with ``payload_json``."""
    if not request.content_type.startswith("multipart/"):
        return await read_object(request), {}
    body: Json = {}
    uploads: dict[int, Upload] = {}
    async for part in MultipartReader(request.headers, _stream(request, await request.read())):
        if not isinstance(part, BodyPartReader):
            raise ApiError(Refusal.BAD_REQUEST)
        found = FILE_FIELD.fullmatch(part.name or "")
        if part.name == "payload_json":
            body = _parsed(await part.text())
        elif found is not None:
            uploads[int(found[1])] = await _upload(part)
    return body, uploads


def _stream(request: web.Request, content: bytes) -> StreamReader:
    """Return a body that was read completely as a stream, so that later readers can read it again."""
    stream = StreamReader(request.protocol, len(content) + 1, loop=asyncio.get_running_loop())
    stream.feed_data(content)
    stream.feed_eof()
    return stream


def _parsed(text: str) -> Json:
    try:
        return as_object(json.loads(text))
    except ValueError:
        raise ApiError(Refusal.INVALID_JSON) from None


async def _upload(part: BodyPartReader) -> Upload:
    """Return a file part; without a content type, the file name determines it."""
    content = bytes(await part.read())
    if len(content) > MAX_FILE_BYTES:
        raise ApiError(Refusal.ENTITY_TOO_LARGE)
    filename = (part.filename or "file").replace("/", "_").replace("\\", "_")
    return Upload(filename=filename, content_type=guess_content_type(filename), content=content)


def guess_content_type(filename: str) -> str:
    """Return the content type for a file name; the client's own claim is ignored."""
    known = {
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
    return known.get(filename.rpartition(".")[2].lower(), "application/octet-stream")


def refusals_middleware() -> Middleware:
    """Return the middleware that turns refusals into Discord's error bodies, on API routes."""

    @web.middleware
    async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as refused:
            return answer(refused.body(), status=refused.status)
        except web.HTTPRequestEntityTooLarge:
            return answer(ApiError(Refusal.ENTITY_TOO_LARGE).body(), status=413)
        except web.HTTPMethodNotAllowed:
            return answer(ApiError(Refusal.METHOD_NOT_ALLOWED).body(), status=405)
        except web.HTTPNotFound:
            return answer(ApiError(Refusal.NOT_FOUND).body(), status=404)

    return refusals
