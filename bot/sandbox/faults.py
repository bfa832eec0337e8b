"""Fault injection for tests: refused, slow and lost requests, and a gateway that misbehaves.

Request faults affect the bot's requests only, never people's. Each is used up after `times` requests (None:
only :meth:`Faults.clear` ends it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from bot.sandbox.errors import Refusal
from bot.sandbox.world.state import Json


class BotGateway(Protocol):
    """The part of the gateway that the faults need."""

    def drop_bot(self, code: int) -> None:
        """Close the bot's sockets; its sessions keep buffering events."""

    def invalidate_bot(self, shard_id: int | None = None) -> None:
        """Delete the bot's sessions, or those of one shard, and send INVALID_SESSION."""

    def forget_bot(self) -> None:
        """Delete the bot's sessions without sending anything."""

    def ask_bot_to_reconnect(self) -> None:
        """Send RECONNECT."""

    def silence_bot(self) -> None:
        """Send nothing more on the bot's open sockets, without closing them."""

    def send_to_bot(self, event: str, body: Json) -> None:
        """Push an event of any shape."""


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
    times: int
    copies: int = 1
    delay_s: float = 0.0
    is_swapped: bool = False


class Faults:
    """The pending faults, and switches for the gateway."""

    def __init__(self, wire: BotGateway) -> None:
        self._wire = wire
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
        self._add(RequestFault(method, re.compile(path), times, 429, retry_after_s, is_global))

    def fail(
        self, method: str, path: str, *, status: int = 500, times: int | None = 1, is_done_first: bool = False
    ) -> None:
        """Answer with an error status; with `is_done_first` the request takes effect all the same."""
        self._add(RequestFault(method, re.compile(path), times, status, is_done_first=is_done_first))

    def refuse(self, method: str, path: str, refusal: Refusal, *, times: int | None = 1) -> None:
        """Answer with one of Discord's refusals."""
        self._add(RequestFault(method, re.compile(path), times, refusal.value[0], refusal=refusal))

    def delay(self, method: str, path: str, *, delay_s: float, times: int | None = 1) -> None:
        """Delay the response."""
        self._add(RequestFault(method, re.compile(path), times, delay_s=delay_s))

    def cut(self, method: str, path: str, *, times: int | None = 1, is_done_first: bool = False) -> None:
        """Close the connection without a response."""
        self._add(RequestFault(method, re.compile(path), times, is_cut=True, is_done_first=is_done_first))

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
        self._wire.drop_bot(code)

    def invalidate_sessions(self, *, shard_id: int | None = None) -> None:
        """Delete the bot's sessions, or those of one shard, so that it must identify again."""
        self._wire.invalidate_bot(shard_id)

    def forget_sessions(self) -> None:
        """Delete the bot's sessions without sending anything, so that they cannot be resumed."""
        self._wire.forget_bot()

    def ask_to_reconnect(self) -> None:
        """Send RECONNECT, as Discord does before a deployment."""
        self._wire.ask_bot_to_reconnect()

    def silence_gateway(self) -> None:
        """Leave the bot's sockets open but send nothing: a half-dead connection."""
        self._wire.silence_bot()

    def send_event(self, name: str, body: Json) -> None:
        """Send the bot an event of any shape, even a malformed one."""
        self._wire.send_to_bot(name, body)

    def stop_heartbeat_acks(self) -> None:
        """Do not acknowledge the bot's heartbeats until :meth:`clear`."""
        self.acknowledges_heartbeats = False

    def go_down(self) -> None:
        """Disconnect the bot and answer its requests and sockets with 503 until :meth:`clear`."""
        self.is_down = True
        self._wire.drop_bot(1001)

    def clear(self) -> None:
        """Remove all pending faults; an event held back for a swap is sent."""
        self._requests.clear()
        self._events.clear()
        self.is_down = False
        self.acknowledges_heartbeats = True
        if self._held is not None:
            held, self._held = self._held, None
            self._wire.send_to_bot(*held)

    def for_request(self, method: str, path: str) -> RequestFault | None:
        """Return the fault for a request of the bot, and count it as used."""
        for fault in self._requests:
            if fault.method in (method, "*") and fault.path.search(path):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._requests.remove(fault)
                return fault
        return None

    def for_event(self, name: str, body: Json) -> list[tuple[float, str, Json]]:
        """Return what to send the bot instead of an event, as (delay in seconds, name, body)."""
        fault = self._next_for(name)
        if fault is not None and fault.is_swapped and self._held is None:
            self._held = (name, body)
            return []
        copies = 1 if fault is None else fault.copies
        sent = [(0.0 if fault is None else fault.delay_s, name, body)] * copies
        if self._held is not None:
            held, self._held = self._held, None
            sent.append((0.0, *held))
        return sent

    def _next_for(self, name: str) -> EventFault | None:
        """Return the first fault that matches the event, and count it as used."""
        for fault in self._events:
            if fault.name.search(name):
                fault.times -= 1
                if fault.times <= 0:
                    self._events.remove(fault)
                return fault
        return None

    def _add(self, fault: RequestFault) -> None:
        self._requests.append(fault)
