"""Faults injected into the sandbox: refused, slow and lost requests, and a gateway that misbehaves.

Request faults affect the bot's requests only, never people's. Each is used up after `times` requests (None:
only `Faults.clear` ends it). Import this module before a sandbox is built.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from bot.sandbox.errors import ApiError, Refusal
from bot.sandbox.gateway.server import Gateway
from bot.sandbox.gateway.sessions import Connection, Op, Session, frame
from bot.sandbox.rate_limits import too_many_requests
from bot.sandbox.rest.api import GATEWAY, PREFIX, WORLD, answer
from bot.sandbox.server import Sandbox
from bot.sandbox.world.state import Json

ANY = re.compile("")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class RequestFault:
    """The fault for the next matching requests."""

    method: str
    path: re.Pattern[str]
    times: int | None
    status: int | None = None
    retry_after_s: float = 0.0
    is_global: bool = False
    delay_s: float = 0.0
    is_done_first: bool = False
    is_cut: bool = False
    refusal: Refusal | None = None


@dataclass(slots=True)
class EventFault:
    """The fault for the next matching events to the bot."""

    name: re.Pattern[str]
    times: int | None
    copies: int = 1
    delay_s: float = 0.0
    is_swapped: bool = False


Fault = TypeVar("Fault", RequestFault, EventFault)


class Faults:
    """The pending faults of one sandbox, and switches for its gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._requests: list[RequestFault] = []
        self._events: list[EventFault] = []
        self._held: tuple[str, Json] | None = None
        self.is_down = False
        self._acknowledges_heartbeats = True
        self.send_event = gateway.send_to_bot  # also a malformed event; no fault applies to it
        self._handle = gateway._handle
        gateway.send_to_bot = self._send_with_faults  # type: ignore[method-assign]
        gateway._handle = self._handle_with_faults  # type: ignore[method-assign]

    def rate_limit(
        self,
        method: str,
        path: str,
        *,
        times: int | None = 1,
        retry_after_s: float = 0.2,
        is_global: bool = False,
    ) -> None:
        """Answer 429 to requests with this method whose path (after /api/v10) matches the pattern."""
        self._requests.append(RequestFault(method, re.compile(path), times, 429, retry_after_s, is_global))

    def fail(
        self, method: str, path: str, *, status: int = 500, times: int | None = 1, is_done_first: bool = False
    ) -> None:
        """Answer with an error status; with `is_done_first` the request takes effect all the same."""
        self._requests.append(
            RequestFault(method, re.compile(path), times, status, is_done_first=is_done_first)
        )

    def refuse(self, method: str, path: str, refusal: Refusal, *, times: int | None = 1) -> None:
        """Answer with one of Discord's refusals."""
        self._requests.append(
            RequestFault(method, re.compile(path), times, refusal.value[0], refusal=refusal)
        )

    def delay(self, method: str, path: str, *, delay_s: float, times: int | None = 1) -> None:
        """Delay the response."""
        self._requests.append(RequestFault(method, re.compile(path), times, delay_s=delay_s))

    def cut(self, method: str, path: str, *, times: int | None = 1, is_done_first: bool = False) -> None:
        """Close the connection without a response."""
        self._requests.append(
            RequestFault(method, re.compile(path), times, is_cut=True, is_done_first=is_done_first)
        )

    def duplicate_next_event(self, name: str = "", *, times: int = 1) -> None:
        """Send the next events whose name matches the pattern twice."""
        self._events.append(EventFault(re.compile(name), times, copies=2))

    def lose_next_event(self, name: str = "", *, times: int = 1) -> None:
        """Drop the next events whose name matches the pattern."""
        self._events.append(EventFault(re.compile(name), times, copies=0))

    def delay_next_event(self, name: str = "", *, delay_s: float, times: int = 1) -> None:
        """Delay the next events whose name matches the pattern."""
        self._events.append(EventFault(re.compile(name), times, delay_s=delay_s))

    def swap_next_events(self, name: str = "") -> None:
        """Send the next event whose name matches the pattern after the one that follows it."""
        self._events.append(EventFault(re.compile(name), times=1, is_swapped=True))

    def drop_gateway(self, code: int = 4000) -> None:
        """Close the bot's sockets with a code; its sessions keep buffering events for a resume."""
        for session in self.bot_sessions():
            if session.connection is not None:
                session.connection.close(code)
                session.detach(session.connection, self._gateway._world.now())
        self._gateway._update_presence()

    def invalidate_sessions(self, *, shard_id: int | None = None) -> None:
        """Delete the bot's sessions, or those of one shard, so that it must identify again."""
        for session in self.bot_sessions():
            if shard_id in (None, session.shard.id):
                del self._gateway._sessions[session.id]
                session.send(frame(Op.INVALID_SESSION, body=False))
        self._gateway._update_presence()

    def forget_sessions(self) -> None:
        """Delete the bot's sessions without sending anything, so that they cannot be resumed."""
        for session in self.bot_sessions():
            del self._gateway._sessions[session.id]
        self._gateway._update_presence()

    def ask_to_reconnect(self) -> None:
        """Send RECONNECT, as Discord does before a deployment."""
        for session in self.bot_sessions():
            session.send(frame(Op.RECONNECT))

    def silence_gateway(self) -> None:
        """Leave the bot's sockets open but send nothing: a half-dead connection."""
        for session in self.bot_sessions():
            if session.connection is not None:
                session.connection.send = lambda text: None  # type: ignore[method-assign]

    def bot_sessions(self) -> list[Session]:
        """Return the bot's sessions."""
        return self._gateway.bot_sessions()

    def stop_heartbeat_acks(self) -> None:
        """Do not acknowledge the bot's heartbeats until `clear`."""
        self._acknowledges_heartbeats = False

    def go_down(self) -> None:
        """Disconnect the bot and answer its requests and sockets with 503 until `clear`."""
        self.is_down = True
        self.drop_gateway(1001)

    def clear(self) -> None:
        """Remove all pending faults; an event held back for a swap is sent."""
        self._requests.clear()
        self._events.clear()
        self.is_down = False
        self._acknowledges_heartbeats = True
        for held in self._taken():
            self.send_event(*held)

    def for_request(self, method: str, path: str) -> RequestFault | None:
        """Return the fault for a request of the bot, and count it as used."""
        matching = (one for one in self._requests if one.method in (method, "*") and one.path.search(path))
        return _use(self._requests, next(matching, None))

    def for_event(self, name: str, body: Json) -> list[tuple[float, str, Json]]:
        """Return what to send the bot instead of an event, as (delay in seconds, name, body)."""
        matching = (one for one in self._events if one.name.search(name))
        fault = _use(self._events, next(matching, None)) or EventFault(ANY, None)
        if fault.is_swapped and self._held is None:
            self._held = (name, body)
            return []
        sent = [(fault.delay_s, name, body)] * fault.copies
        return [*sent, *((0.0, *held) for held in self._taken())]

    def _send_with_faults(self, name: str, body: Json) -> None:
        for delay_s, sent_name, sent_body in self.for_event(name, body):
            if delay_s:
                asyncio.get_running_loop().call_later(delay_s, self.send_event, sent_name, sent_body)
            else:
                self.send_event(sent_name, sent_body)

    def _handle_with_faults(
        self, connection: Connection, session: Session | None, packet: Json
    ) -> Session | None:
        is_bots = session is not None and session in self.bot_sessions()
        if is_bots and packet["op"] == Op.HEARTBEAT and not self._acknowledges_heartbeats:
            return session
        return self._handle(connection, session, packet)

    def _taken(self) -> list[tuple[str, Json]]:
        """Return the event held back for a swap, if any, and clear it."""
        held, self._held = self._held, None
        return [] if held is None else [held]


def faults_of(sandbox: Sandbox) -> Faults:
    """Return the faults of a sandbox."""
    found: Faults = vars(sandbox.gateway).get("faults") or Faults(sandbox.gateway)
    vars(sandbox.gateway)["faults"] = found
    return found


@web.middleware
async def refuse_while_down(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 503 to the bot while its sandbox is down."""
    faults = _faults_in(request)
    is_socket = request.path == "/gateway" and request.headers.get("User-Agent", "").startswith("DiscordBot")
    if faults is not None and faults.is_down and (is_socket or _is_of_bot(request)):
        return answer({"message": "503: Service Unavailable", "code": 0}, status=503)
    return await handler(request)


@web.middleware
async def inject_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Apply the next fault to a request of the bot; people's requests always pass."""
    faults = _faults_in(request)
    if faults is None or not _is_of_bot(request):
        return await handler(request)
    fault = faults.for_request(request.method, request.path.removeprefix(PREFIX))
    return await handler(request) if fault is None else await _apply(fault, request, handler)


Sandbox.middlewares = (*Sandbox.middlewares, refuse_while_down)
Sandbox.inner_middlewares = (inject_faults,)


def _faults_in(request: web.Request) -> Faults | None:
    found: Faults | None = vars(request.app[GATEWAY]).get("faults")
    return found


def _is_of_bot(request: web.Request) -> bool:
    """Whether a request to the API comes from the bot, or from a program without a token."""
    world = request.app[WORLD]
    user_id = world.user_id_by_header(request.headers)
    return request.path.startswith(PREFIX) and user_id in (None, world.bot_user_id)


async def _apply(fault: RequestFault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Respond to a request with a fault."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)  # what the fault is
    if fault.is_done_first:
        await handler(request)
    if fault.is_cut and request.transport is not None:
        request.transport.abort()
    elif fault.status is None:
        return await handler(request)
    if fault.status == 429:
        headers = {"Via": "1.1 sandbox", "X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0"}
        headers["X-RateLimit-Reset-After"] = str(fault.retry_after_s)
        scope = "global" if fault.is_global else "user"
        return too_many_requests(scope, fault.retry_after_s, headers)
    return answer(ApiError(fault.refusal or Refusal.SERVER_ERROR).body(), status=fault.status or 500)


def _use(faults: list[Fault], fault: Fault | None) -> Fault | None:
    """Count a fault as used; remove it after its last use."""
    if fault is not None and fault.times is not None:
        fault.times -= 1
        if fault.times <= 0:
            faults.remove(fault)
    return fault
