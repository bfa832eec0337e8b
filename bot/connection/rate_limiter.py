"""Keeps within Discord's rate limits instead of running into them.

discord.py learns the limit of each route from the responses and waits for it, in the order of the requests.
It does not know the limit of all requests together, and lets nothing overtake: a notice that a channel is
busy would arrive after everything that makes it busy. So messages wait for their turn here, by channel, and
all requests share a budget. A server that tells no limits is not waited for.
"""

import asyncio
import contextlib
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import discord
from discord.http import Ratelimit

from bot.connection.request_budget import Priority, PriorityWaiters, RequestBudget

# Discord takes 50 requests a second of a token: what is saved up and what comes in stay below that together.
REQUESTS_A_S, SAVED_UP = 35.0, 6.0
MESSAGES, WITHIN_S = 5, 5.0  # in a channel, until its first response tells
TYPING_EVERY_S = 4.0  # in a busy channel
LATE_S = 0.01  # a request that arrives just before its time is refused
API = re.compile(r"/api/v\d+(/.*)")
MESSAGE = re.compile(r"/channels/\d+/messages(?:/\d+)?")
MESSAGE_PATHS = ("/channels/{channel_id}/messages", "/channels/{channel_id}/messages/{message_id}")
REACTION = re.compile(r"/reactions/[^/]+/@me$")
TOO_MANY = 429
BESIDE_THE_BUDGET = ("/interactions/", "/webhooks/")


@dataclass(slots=True)
class _Lane:
    """The messages of one channel."""

    limit: int = MESSAGES
    window_s: float = WITHIN_S
    free: int = MESSAGES
    resets_at: float = 0.0
    on_their_way: int = 0  # let go, and not yet answered
    typed_at: float = -math.inf
    waiting: PriorityWaiters = field(default_factory=PriorityWaiters)
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class _Turn:
    """One message's turn."""

    lane: _Lane
    is_answered: bool = False


_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


class PromptRatelimit(Ratelimit):
    """A bucket of discord.py that waits before the next request, not after the last one.

    discord.py returns the response of a bucket's last request only when the bucket is full again, up to five
    seconds later. A reply would be stored so late, and votes on it wait for that.
    """

    _refreshing: "asyncio.Task[None] | None" = None  # kept from being collected

    async def __aexit__(self, *_: object) -> None:
        """Let the next request go, now or when the bucket is full again."""
        self.outgoing -= 1
        if self._sleeping.locked():
            return
        left = self.remaining - self.outgoing
        if left > 0:
            self._wake(left)
        else:
            self._refreshing = asyncio.create_task(self._refresh(), name="rate limit")


class RateLimiter:
    """Turns for messages, by channel, and a budget for all requests of one client."""

    def __init__(self, *, share: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the share of the token's requests that this process may make, in (0, 1]."""
        self._clock = clock
        self._budget = RequestBudget(
            a_second=REQUESTS_A_S * share, saved_up=max(1.0, SAVED_UP * share), clock=clock
        )
        self._lanes: dict[int, _Lane] = {}

    @property
    def is_limited(self) -> bool:
        """Whether the server has told of limits."""
        return not self._budget.is_unlimited

    def trace(self) -> aiohttp.TraceConfig:
        """Return what has discord.py's HTTP client wait for the budget, and tells of every response."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._on_start)
        trace.on_request_end.append(self._on_end)
        return trace

    def attach(self, http: discord.http.HTTPClient) -> None:
        """Let every message of this client wait for its turn."""
        request = http.request

        async def paced(route: discord.http.Route, **options: Any) -> Any:
            channel_id = int(route.channel_id or 0)
            is_message = route.path in MESSAGE_PATHS and route.method in ("POST", "PATCH")
            if is_message and _turn.get() is None:
                async with self.turn(channel_id, Priority.MESSAGE):
                    return await request(route, **options)
            if route.path.endswith("/typing") and not self._may_type(channel_id):
                return None
            return await request(route, **options)

        def get_ratelimit(key: str) -> Ratelimit:
            if key not in buckets:
                buckets[key] = PromptRatelimit(http.max_ratelimit_timeout)
                http._try_clear_expired_ratelimits()
            return buckets[key]

        buckets = http._buckets
        http.request = paced  # type: ignore[method-assign]  # there is no option
        http.get_ratelimit = get_ratelimit  # type: ignore[method-assign]

    @contextlib.asynccontextmanager
    async def turn(self, channel_id: int, priority: Priority) -> AsyncIterator[None]:
        """A block that begins when the channel takes a message; one message is sent inside."""
        lane = self._lanes.setdefault(channel_id, _Lane())
        waits = lane.waiting.add(priority)
        self._let_go(lane)
        try:
            await waits
        except asyncio.CancelledError:
            if waits.done() and not waits.cancelled():  # let go in the same moment
                lane.on_their_way -= 1
            raise
        turn = _Turn(lane)
        token = _turn.set(turn)
        try:
            yield
        finally:
            _turn.reset(token)
            if not turn.is_answered:
                lane.on_their_way -= 1
            self._let_go(lane)

    def wait_s(self, channel_id: int, admitted: int) -> float:
        """Return in how many seconds one more message would be sent; one in each window is kept for a notice.

        Args:
            channel_id: Where to.
            admitted: Messages of this channel that are promised, those that wait here included.
        """
        if not self.is_limited:
            return 0.0
        lane, now = self._lanes.setdefault(channel_id, _Lane()), self._clock()
        self._renew(lane, now)
        place = 1 + max(admitted - lane.on_their_way, len(lane.waiting)) - lane.free
        if place <= 0:
            return 0.0
        windows = math.ceil(place / max(1, lane.limit - 1))
        resets_at = lane.resets_at if lane.resets_at > now else now + lane.window_s
        return resets_at - now + (windows - 1) * lane.window_s

    def _may_type(self, channel_id: int) -> bool:
        """Whether to show that the bot is typing; in a busy channel once in a while."""
        lane, now = self._lanes.setdefault(channel_id, _Lane()), self._clock()
        is_due = now - lane.typed_at >= TYPING_EVERY_S
        if self.is_limited and (self._budget.waiting or (len(lane.waiting) and not is_due)):
            return False
        lane.typed_at = now
        return True

    def _renew(self, lane: _Lane, now: float) -> None:
        if now >= lane.resets_at:
            lane.free = max(0, lane.limit - lane.on_their_way)

    def _let_go(self, lane: _Lane) -> None:
        """Let those go on who may send now, and look again when the window ends."""
        now = self._clock()
        self._renew(lane, now)
        while len(lane.waiting) and (lane.free > 0 or not self.is_limited):
            if now >= lane.resets_at:
                lane.resets_at = now + lane.window_s  # until the response tells
            lane.free -= 1
            lane.on_their_way += 1
            lane.waiting.let_next()
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        if len(lane.waiting) and now < lane.resets_at:
            loop = asyncio.get_running_loop()
            lane.timer = loop.call_later(lane.resets_at - now + LATE_S, self._let_go, lane)

    async def _on_start(
        self, _session: aiohttp.ClientSession, _context: Any, params: aiohttp.TraceRequestStartParams
    ) -> None:
        path = _api_path(params.url.path)
        if path is None or path.startswith(BESIDE_THE_BUDGET):
            return
        await self._budget.spend(_priority(params.method, path))

    async def _on_end(
        self, _session: aiohttp.ClientSession, _context: Any, params: aiohttp.TraceRequestEndParams
    ) -> None:
        path, headers = _api_path(params.url.path), params.response.headers
        if path is None or path.startswith(BESIDE_THE_BUDGET):
            return
        turn = _turn.get()
        if "X-RateLimit-Limit" in headers:
            self._budget.is_unlimited = False
        elif turn is not None and params.response.status < 300:
            self._budget.is_unlimited = True
        if params.response.status == TOO_MANY and headers.get("X-RateLimit-Scope") == "global":
            self._budget.pause(float(headers.get("Retry-After", 1)))  # discord.py stops only new requests
        if turn is not None and MESSAGE.fullmatch(path):
            if not turn.is_answered:
                turn.is_answered = True
                turn.lane.on_their_way -= 1
            if headers.get("X-RateLimit-Scope") != "global":
                with contextlib.suppress(KeyError, ValueError):  # they are for other routes, or missing
                    self._learn(turn.lane, headers, is_refusal=params.response.status == TOO_MANY)
            self._let_go(turn.lane)

    def _learn(self, lane: _Lane, headers: Mapping[str, str], *, is_refusal: bool) -> None:
        """Take what a response says of its channel."""
        left, after_s = int(headers["X-RateLimit-Remaining"]), float(headers["X-RateLimit-Reset-After"])
        if not is_refusal:
            lane.limit = max(1, int(headers["X-RateLimit-Limit"]))
            if left == lane.limit - 1:  # the first of its window
                lane.window_s = after_s
        lane.free = max(0, left - lane.on_their_way)
        lane.resets_at = self._clock() + after_s


def _api_path(path: str) -> str | None:
    """Return the path below the API's version, or None for what is no request of the API."""
    found = API.match(path)
    return found[1] if found else None


def _priority(method: str, path: str) -> Priority:
    turn = _turn.get()
    if turn is not None:
        return Priority.MESSAGE
    return Priority.REACTION if method != "GET" and REACTION.search(path) else Priority.OTHER
