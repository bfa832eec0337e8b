"""Gateway sessions: numbered events with a bounded buffer for resuming, and their sockets."""

import asyncio
import contextlib
import json
import secrets
from collections import deque
from datetime import datetime
from enum import IntEnum

from aiohttp import web

from bot.sandbox.gateway.intents import Intent, receives, without_content
from bot.sandbox.gateway.sharding import WHOLE, Shard
from bot.sandbox.world.state import Json

MAX_WAITING_FRAMES = 2000


class Op(IntEnum):
    """Discord's gateway opcodes."""

    DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE = 0, 1, 2, 3, 4
    RESUME, RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 6, 7, 8, 9, 10, 11


def frame(op: int, body: object = None) -> str:
    """Return a gateway frame without a sequence number."""
    return json.dumps({"op": op, "d": body, "s": None, "t": None})


class Connection:
    """One socket with a queue of frames; :meth:`write` must run as a task. A slow client is disconnected."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self._socket = socket
        self._transport = transport
        self._waiting: asyncio.Queue[str | int] = asyncio.Queue(MAX_WAITING_FRAMES)

    def send(self, text: str) -> None:
        """Queue a frame without waiting."""
        self._put(text)

    def close(self, code: int) -> None:
        """Close with a code after the queued frames."""
        self._put(code)

    def _put(self, item: str | int) -> None:
        try:
            self._waiting.put_nowait(item)
        except asyncio.QueueFull:
            if self._transport is not None:
                self._transport.abort()

    async def write(self) -> None:
        """Send queued frames until the socket closes."""
        while True:
            item = await self._waiting.get()
            if isinstance(item, int):
                await self._socket.close(code=item)
                return
            with contextlib.suppress(ConnectionError):
                await self._socket.send_str(item)


class Session:
    """One login, across any number of resumed sockets; `intents` is None for people, who get every event."""

    def __init__(self, user_id: int, *, intents: int | None, buffer_size: int, shard: Shard = WHOLE) -> None:
        self.id = secrets.token_hex(16)
        self.user_id, self.shard = user_id, shard
        self.connection: Connection | None = None
        self.detached_at: datetime | None = None
        self._intents = intents
        self._seq = 0
        self._buffer: deque[tuple[int, str]] = deque(maxlen=buffer_size)

    def push(self, event: str, body: Json) -> None:
        """Give an event its number, buffer it for resuming, and send it if a socket is attached."""
        if self._intents is not None:
            if not receives(event, body, self._intents):
                return
            if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and not self._intents & Intent.MESSAGE_CONTENT:
                body = without_content(body, self.user_id)
        self._seq += 1
        text = json.dumps({"op": Op.DISPATCH, "t": event, "s": self._seq, "d": body})
        self._buffer.append((self._seq, text))
        self.send(text)

    def send(self, text: str) -> None:
        """Send a frame if a socket is attached."""
        if self.connection is not None:
            self.connection.send(text)

    def missed_since(self, seq: int) -> list[str] | None:
        """Return the frames after `seq`, or None if the buffer no longer holds all of them."""
        oldest = self._buffer[0][0] if self._buffer else self._seq + 1
        if not oldest - 1 <= seq <= self._seq:
            return None
        return [text for at, text in self._buffer if at > seq]

    def attach(self, connection: Connection) -> None:
        """Send events over `connection` from now on."""
        self.connection, self.detached_at = connection, None

    def detach(self, connection: Connection, at: datetime) -> bool:
        """Detach `connection`; return False if another one has been attached meanwhile."""
        if self.connection is not connection:
            return False
        self.connection = None
        self.detached_at = at
        return True
