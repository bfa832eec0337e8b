"""The gateway: sockets, sessions, heartbeats, resuming, and the audience of events."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable
from datetime import timedelta

from aiohttp import WSMsgType, web

from bot.sandbox.gateway.intents import Intent
from bot.sandbox.gateway.ready_event import send_members, send_ready
from bot.sandbox.gateway.sessions import Connection, Op, Session, frame
from bot.sandbox.gateway.sharding import WHOLE, IdentifyLimit, read_shard
from bot.sandbox.world.objects import presence_json
from bot.sandbox.world.state import Event, Json, World

ACK_AFTER_S = 0.02
UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, WRONG_TOKEN = 4001, 4002, 4003, 4004
ALREADY_AUTHENTICATED, SESSION_TIMED_OUT, INVALID_SHARD = 4005, 4009, 4010
DISALLOWED_INTENTS, GOING_AWAY = 4014, 1001
LEFT_FOR_GOOD = (1000, 1001)  # close codes after which Discord ends the session
RESUME_WINDOW = timedelta(minutes=10)
BUFFER_SIZE = 1000
MIN_TIMEOUT_S = 5.0  # even with a short heartbeat interval: a busy machine sends them late


class Gateway:
    """All sessions. :meth:`dispatch` never waits for a socket."""

    def __init__(
        self,
        world: World,
        *,
        message_content_allowed: bool,
        heartbeat_interval_ms: int,
        identify_limit: IdentifyLimit,
    ) -> None:
        self._world = world
        self.message_content_allowed = message_content_allowed
        self.identify_limit = identify_limit
        self._heartbeat_interval_ms = heartbeat_interval_ms
        self._sessions: dict[str, Session] = {}
        self._connections: set[Connection] = set()

    def dispatch(self, events: Iterable[Event]) -> None:
        """Send events to the sessions of their audience."""
        for event in events:
            sessions = [one for one in self._sessions.values() if one.user_id in event.audience]
            for session in sessions:
                if session.user_id != self._world.bot_user_id:
                    session.push(event.name, event.data)
            if any(session.user_id == self._world.bot_user_id for session in sessions):
                self.send_to_bot(event.name, event.data)

    def send_to_bot(self, name: str, body: Json) -> None:
        """Send the bot an event over the shards that it concerns."""
        for session in self.bot_sessions():
            if session.shard.receives(name, body):
                session.push(name, body)

    def bot_sessions(self) -> list[Session]:
        """Return the bot's sessions."""
        return [one for one in self._sessions.values() if one.user_id == self._world.bot_user_id]

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until its socket closes; its session stays for a resume."""
        socket = web.WebSocketResponse(timeout=2.0, max_msg_size=1 << 20)
        await socket.prepare(request)
        transport = request.transport
        connection = Connection(socket, transport if isinstance(transport, asyncio.Transport) else None)
        self._connections.add(connection)
        writer = asyncio.create_task(connection.write())
        connection.send(frame(Op.HELLO, {"heartbeat_interval": self._heartbeat_interval_ms}))
        session: Session | None = None
        try:
            while (packet := await self._receive(socket, connection)) is not None:
                session = self._handle(connection, session, packet)
        finally:
            self._connections.discard(connection)
            if session is not None and session.detach(connection, self._world.now()):
                if socket.close_code in LEFT_FOR_GOOD:
                    self._sessions.pop(session.id, None)
                self._update_presence()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        return socket

    async def close(self) -> None:
        """Close every socket."""
        for connection in tuple(self._connections):
            connection.close(GOING_AWAY)
        for _ in range(100):
            if not self._connections:
                return
            await asyncio.sleep(0.01)

    async def _receive(self, socket: web.WebSocketResponse, connection: Connection) -> Json | None:
        """Return the next packet, or None if the client has gone, timed out or sent invalid data."""
        timeout_s = max(2 * self._heartbeat_interval_ms / 1000, MIN_TIMEOUT_S)
        try:
            message = await socket.receive(timeout=timeout_s)
        except TimeoutError:
            await socket.close(code=SESSION_TIMED_OUT)
            return None
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return None
        try:
            packet = json.loads(message.data)
        except ValueError:
            packet = None
        if not isinstance(packet, dict) or not isinstance(packet.get("op"), int):
            await socket.close(code=DECODE_ERROR)
            return None
        return packet

    def _handle(self, connection: Connection, session: Session | None, packet: Json) -> Session | None:
        """Handle one packet; return the connection's session afterwards."""
        op, body = packet["op"], packet.get("d")
        if op == Op.HEARTBEAT:
            # Delayed as over a network: discord.py stores the time of a heartbeat only after sending it.
            asyncio.get_running_loop().call_later(ACK_AFTER_S, connection.send, frame(Op.HEARTBEAT_ACK))
        elif op in (Op.IDENTIFY, Op.RESUME):
            if session is not None:
                connection.close(ALREADY_AUTHENTICATED)
            elif not isinstance(body, dict) or not isinstance(body.get("intents", 0), int):
                connection.close(DECODE_ERROR)
            else:
                return (
                    self._identify(connection, body) if op == Op.IDENTIFY else self._resume(connection, body)
                )
        elif session is None:
            connection.close(NOT_AUTHENTICATED)
        elif op == Op.REQUEST_MEMBERS and isinstance(body, dict):
            send_members(self._world, session, body)
        elif op not in (Op.PRESENCE, Op.VOICE):
            connection.close(UNKNOWN_OPCODE)
        return session

    def _identify(self, connection: Connection, body: Json) -> Session | None:
        """Start a session, or close the connection with the reason."""
        user_id = self._world.user_id_by_token(str(body.get("token", "")))
        is_bot = user_id == self._world.bot_user_id
        intents: int = body.get("intents", 0)
        if user_id is None:
            connection.close(WRONG_TOKEN)
            return None
        if is_bot and intents & Intent.MESSAGE_CONTENT and not self.message_content_allowed:
            connection.close(DISALLOWED_INTENTS)
            return None
        shard = read_shard(body) if is_bot else WHOLE
        if shard is None:
            connection.close(INVALID_SHARD)
            return None
        if is_bot and not self.identify_limit.may_begin(shard, time.monotonic()):
            connection.send(frame(Op.INVALID_SESSION, body=False))
            return None
        session = Session(user_id, intents=intents if is_bot else None, buffer_size=BUFFER_SIZE, shard=shard)
        session.attach(connection)
        self._delete_old_sessions()
        send_ready(self._world, session)
        self._sessions[session.id] = session
        self._update_presence()
        return session

    def _resume(self, connection: Connection, body: Json) -> Session | None:
        """Resume a session: replay missed events, then RESUMED; or send INVALID_SESSION."""
        self._delete_old_sessions()
        session = self._sessions.get(str(body.get("session_id")))
        user_id = self._world.user_id_by_token(str(body.get("token", "")))
        seq = body.get("seq")
        missed = session.missed_since(seq) if session is not None and isinstance(seq, int) else None
        if session is None or missed is None or user_id != session.user_id:
            if session is not None and user_id == session.user_id:
                del self._sessions[session.id]
            connection.send(frame(Op.INVALID_SESSION, body=False))
            return None
        if session.connection is not None:
            session.connection.close(4000)
        for text in missed:
            connection.send(text)
        session.attach(connection)
        session.push("RESUMED", {})
        self._update_presence()
        return session

    def _delete_old_sessions(self) -> None:
        """Delete sessions that were not resumed in time."""
        too_old = self._world.now() - RESUME_WINDOW
        for session in tuple(self._sessions.values()):
            if session.detached_at is not None and session.detached_at < too_old:
                del self._sessions[session.id]

    def _update_presence(self) -> None:
        """Send people the bot's presence when it has changed."""
        bot_user_id = self._world.bot_user_id
        is_online = any(one.connection is not None for one in self.bot_sessions())
        if is_online == (bot_user_id in self._world.online_ids):
            return
        (self._world.online_ids.add if is_online else self._world.online_ids.discard)(bot_user_id)
        for guild in self._world.guilds_of(bot_user_id):
            people = frozenset(one.user_id for one in self._world.members_of(guild.id))
            presence = presence_json(bot_user_id, guild.id, is_online=is_online)
            self.dispatch([Event("PRESENCE_UPDATE", presence, people - {bot_user_id})])
