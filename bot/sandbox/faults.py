"""Fault injection for tests: refused, slow and lost requests, and a gateway that misbehaves.

Request faults affect the bot's requests only, never people's. Each is used up after `times` requests (None:
only :meth:`Faults.clear` ends it).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.sandbox.errors import Refusal
from bot.sandbox.gateway.sessions import Op, Session, frame
from bot.sandbox.world.state import Json, World

ANY = re.compile("")


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
    """The pending faults, and switches for the gateway.

    Args:
        world: The sandbox's world.
        sessions: All sessions of the gateway by id; faults delete the bot's.
        update_presence: Sends people the bot's presence when it has changed.
    """

    def __init__(
        self, world: World, sessions: dict[str, Session], update_presence: Callable[[], None]
    ) -> None:
        self._world = world
        self._sessions = sessions
        self._update_presence = update_presence
        self._requests: list[RequestFault] = []
        self._events: list[EventFault] = []
        self._held: tuple[str, Json] | None = None
        self.is_down = False
        self.acknowledges_heartbeats = True

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
                session.detach(session.connection, self._world.now())
        self._update_presence()

    def invalidate_sessions(self, *, shard_id: int | None = None) -> None:
        """Delete the bot's sessions, or those of one shard, so that it must identify again."""
        for session in self.bot_sessions():
            if shard_id in (None, session.shard.id):
                del self._sessions[session.id]
                session.send(frame(Op.INVALID_SESSION, body=False))
        self._update_presence()

    def forget_sessions(self) -> None:
        """Delete the bot's sessions without sending anything, so that they cannot be resumed."""
        for session in self.bot_sessions():
            del self._sessions[session.id]
        self._update_presence()

    def ask_to_reconnect(self) -> None:
        """Send RECONNECT, as Discord does before a deployment."""
        for session in self.bot_sessions():
            session.send(frame(Op.RECONNECT))

    def silence_gateway(self) -> None:
        """Leave the bot's sockets open but send nothing: a half-dead connection."""
        for session in self.bot_sessions():
            if session.connection is not None:
                session.connection.is_silent = True

    def send_event(self, name: str, body: Json) -> None:
        """Send the bot an event of any shape, even a malformed one, over the shards that it concerns."""
        for session in self.bot_sessions():
            if session.shard.receives(name, body):
                session.push(name, body)

    def bot_sessions(self) -> list[Session]:
        """Return the bot's sessions."""
        return [one for one in self._sessions.values() if one.user_id == self._world.bot_user_id]

    def stop_heartbeat_acks(self) -> None:
        """Do not acknowledge the bot's heartbeats until :meth:`clear`."""
        self.acknowledges_heartbeats = False

    def go_down(self) -> None:
        """Disconnect the bot and answer its requests and sockets with 503 until :meth:`clear`."""
        self.is_down = True
        self.drop_gateway(1001)

    def clear(self) -> None:
        """Remove all pending faults; an event held back for a swap is sent."""
        self._requests.clear()
        self._events.clear()
        self.is_down = False
        self.acknowledges_heartbeats = True
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

    def _taken(self) -> list[tuple[str, Json]]:
        """Return the event held back for a swap, if any, and clear it."""
        held, self._held = self._held, None
        return [] if held is None else [held]


def _use(faults: list[Fault], fault: Fault | None) -> Fault | None:
    """Count a fault as used; remove it after its last use."""
    if fault is not None and fault.times is not None:
        fault.times -= 1
        if fault.times <= 0:
            faults.remove(fault)
    return fault
