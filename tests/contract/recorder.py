"""Stands between the bot and the sandbox: notes every request with its answer, as they were on the wire."""

import contextlib
import email.message
import email.policy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from contract.checking import Exchange

from bot.sandbox.world.state import Event

PREFIX = "/api/v10"
BOT_AGENT = "DiscordBot"  # discord.py names itself, except where only a token in the path is needed
TOKEN_ROUTES = ("/interactions/", "/webhooks/")


@dataclass(frozen=True, slots=True)
class Noted:
    """A request and its answer, unparsed."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    content_type: str
    body: bytes
    status: int
    answer: bytes
    is_by_bot: bool


class Recorder:
    """Holds what came until it is taken: reading it later leaves the timing of a test alone."""

    def __init__(self) -> None:
        self._noted: list[Noted] = []
        self._events: dict[tuple[str, str], None] = {}  # each once, though many hear it

    def middleware(self) -> Any:
        """Return the sandbox's outermost middleware, which notes each request once it is answered."""

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            answer = await handler(request)
            if request.path.startswith(PREFIX) and isinstance(answer, web.Response):
                await self._note(request, answer)
            return answer

        return note

    async def _note(self, request: web.Request, answer: web.Response) -> None:
        body = b""
        with contextlib.suppress(OSError, web.HTTPException):  # cut off, or too large
            body = await request.read()
        path = request.rel_url.raw_path.removeprefix(PREFIX)
        by_token = path.startswith(TOKEN_ROUTES) and "Authorization" not in request.headers
        self._noted.append(
            Noted(
                method=request.method,
                path=path,
                query=tuple(request.query.items()),
                content_type=request.headers.get("Content-Type", ""),
                body=body,
                status=answer.status,
                answer=answer.body if isinstance(answer.body, bytes) else b"",
                is_by_bot=by_token or request.headers.get("User-Agent", "").startswith(BOT_AGENT),
            )
        )

    def note_events(self, events: Iterable[Event]) -> None:
        """Note what the gateway tells."""
        for event in events:
            self._events[event.name, json.dumps(event.data)] = None

    def take_events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the names and bodies of the events since the last time."""
        events, self._events = self._events, {}
        return ((name, json.loads(body)) for name, body in events)

    def take(self) -> Iterator[Exchange]:
        """Yield what has come since the last time, parsed."""
        noted, self._noted = self._noted, []
        return map(parsed_exchange, noted)


def parsed_exchange(noted: Noted) -> Exchange:
    body, files = noted.body, {}
    if noted.content_type.startswith("multipart/"):
        body, files = _multipart(noted.content_type, body)
    return Exchange(
        method=noted.method,
        path=noted.path,
        query=noted.query,
        body=_json(body),
        files=files,
        status=noted.status,
        answer=_json(noted.answer),
        is_by_bot=noted.is_by_bot,
    )


def _multipart(content_type: str, body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return ``payload_json`` and the file names by field, read apart from the sandbox's own reader."""
    header = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(header + body, policy=email.policy.HTTP)
    payload, files = b"", {}
    for part in message.iter_parts():
        assert isinstance(part, email.message.EmailMessage)
        name = str(part.get_param("name", header="content-disposition"))
        if name == "payload_json":
            payload = part.get_payload(decode=True)
        else:
            files[name] = part.get_filename() or ""
    return payload, files


def _json(body: bytes) -> Any:
    """Return what the JSON says, None for no body, and the text where it is no JSON."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")
