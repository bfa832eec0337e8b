"""Client-side rate limiting: keeps within Discord's limits, so that no request is refused.

discord.py learns the limit of each route from the responses and waits for it, first come, first served. It
knows nothing of the global limit, and lets no request overtake: the notice that a channel is busy would
arrive after all the replies that make it busy. Therefore messages wait here, in one queue per channel, and
all requests share a budget. A server that sends no rate limit headers is not waited for.
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

from bot.connection.request_budget import Priority, PriorityQueue, RequestBudget

# Discord takes 50 requests a second for a token. A burst of 6 and the 35 of the next second stay below that.
REQUESTS_PER_S, BURST = 35.0, 6.0
MESSAGES, WINDOW_S = 5, 5.0  # of a channel, until its first response says otherwise
TYPING_EVERY_S = 4.0  # in a busy channel
MARGIN_S = 0.01  # a request that arrives just before the window ends is refused
API = re.compile(r"/api/v\d+(/.*)")
MESSAGE = re.compile(r"/channels/\d+/messages(?:/\d+)?")
MESSAGE_PATHS = ("/channels/{channel_id}/messages", "/channels/{channel_id}/messages/{message_id}")
REACTION = re.compile(r"/reactions/[^/]+/@me$")
TOO_MANY = 429
OUTSIDE_GLOBAL_LIMIT = ("/interactions/", "/webhooks/")


@dataclass(slots=True)
class _ChannelQueue:
    """The rate limit of one channel, and the messages that wait for it."""

    limit: int = MESSAGES
    window_s: float = WINDOW_S
    free: int = MESSAGES
    resets_at: float = 0.0
    unanswered: int = 0  # released, and not yet answered by Discord
    typed_at: float = -math.inf
    waiting: PriorityQueue = field(default_factory=PriorityQueue)
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class _MessageSlot:
    """The right to send one message now."""

    queue: _ChannelQueue
    is_answered: bool = False


_current_slot: ContextVar[_MessageSlot | None] = ContextVar("message slot", default=None)


class PromptRatelimit(Ratelimit):
    """A bucket of discord.py that waits before the next request instead of after the last one.

    discord.py returns the response of a bucket's last request only when the bucket is full again, up to 5 s
    later. The reply would be stored that late, and votes on it wait until it is stored.
    """

    _refreshing: "asyncio.Task[None] | None" = None  # keeps a reference, so that the task is not collected

    async def __aexit__(self, *_: object) -> None:
        self.outgoing -= 1
        if self._sleeping.locked():
            return
        left = self.remaining - self.outgoing
        if left > 0:
            self._wake(left)
        else:
            self._refreshing = asyncio.create_task(self._refresh(), name="rate limit")


class RateLimiter:
    """A queue of messages for each channel, and a budget for all requests of one client.

    `share`, in (0, 1], is the part of the token's requests that this process may make.
    """

    def __init__(self, *, share: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._budget = RequestBudget(
            rate_per_s=REQUESTS_PER_S * share, burst=max(1.0, BURST * share), clock=clock
        )
        self._queues: dict[int, _ChannelQueue] = {}

    @property
    def is_limited(self) -> bool:
        """Whether the server sends rate limit headers."""
        return not self._budget.is_unlimited

    def trace(self) -> aiohttp.TraceConfig:
        """Return the hooks that make discord.py wait for the budget and that read each response."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._on_start)
        trace.on_request_end.append(self._on_end)
        return trace

    def attach(self, http: discord.http.HTTPClient) -> None:
        """Make every message of this client wait in the queue of its channel."""
        request = http.request

        async def limited(route: discord.http.Route, **options: Any) -> Any:
            channel_id = int(route.channel_id or 0)
            is_message = route.path in MESSAGE_PATHS and route.method in ("POST", "PATCH")
            if is_message and _current_slot.get() is None:
                async with self.message_slot(channel_id, Priority.MESSAGE):
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
        http.request = limited  # type: ignore[method-assign]  # discord.py has no option for it
        http.get_ratelimit = get_ratelimit  # type: ignore[method-assign]

    @contextlib.asynccontextmanager
    async def message_slot(self, channel_id: int, priority: Priority) -> AsyncIterator[None]:
        """Wait until the channel takes a message; send one message in the block."""
        queue = self._queues.setdefault(channel_id, _ChannelQueue())
        released = queue.waiting.add(priority)
        self._release(queue)
        try:
            await released
        except asyncio.CancelledError:
            if released.done() and not released.cancelled():  # released at the moment of the cancellation
                queue.unanswered -= 1
            raise
        slot = _MessageSlot(queue)
        token = _current_slot.set(slot)
        try:
            yield
        finally:
            _current_slot.reset(token)
            if not slot.is_answered:
                queue.unanswered -= 1
            self._release(queue)

    def wait_s(self, channel_id: int, expected: int) -> float:
        """Return in how many seconds one more reply would be sent.

        One message of each window is reserved for a notice.

        Args:
            channel_id: The channel that would get it.
            expected: Replies that this channel is already to get, including those that wait here.
        """
        if not self.is_limited:
            return 0.0
        queue, now = self._queues.setdefault(channel_id, _ChannelQueue()), self._clock()
        self._refill(queue, now)
        position = 1 + max(expected - queue.unanswered, len(queue.waiting)) - queue.free
        if position <= 0:
            return 0.0
        windows = math.ceil(position / max(1, queue.limit - 1))
        resets_at = queue.resets_at if queue.resets_at > now else now + queue.window_s
        return resets_at - now + (windows - 1) * queue.window_s

    def _may_type(self, channel_id: int) -> bool:
        """Whether to send a typing indicator; in a busy channel only every few seconds."""
        queue, now = self._queues.setdefault(channel_id, _ChannelQueue()), self._clock()
        is_due = now - queue.typed_at >= TYPING_EVERY_S
        if self.is_limited and (self._budget.waiting or (len(queue.waiting) and not is_due)):
            return False
        queue.typed_at = now
        return True

    def _refill(self, queue: _ChannelQueue, now: float) -> None:
        if now >= queue.resets_at:
            queue.free = max(0, queue.limit - queue.unanswered)

    def _release(self, queue: _ChannelQueue) -> None:
        """Release the messages that may be sent now, and run again when the window ends."""
        now = self._clock()
        self._refill(queue, now)
        while len(queue.waiting) and (queue.free > 0 or not self.is_limited):
            if now >= queue.resets_at:
                queue.resets_at = now + queue.window_s  # until the response says otherwise
            queue.free -= 1
            queue.unanswered += 1
            queue.waiting.release_next()
        if queue.timer is not None:
            queue.timer.cancel()
            queue.timer = None
        if len(queue.waiting) and now < queue.resets_at:
            loop = asyncio.get_running_loop()
            queue.timer = loop.call_later(queue.resets_at - now + MARGIN_S, self._release, queue)

    async def _on_start(
        self, _session: aiohttp.ClientSession, _context: Any, params: aiohttp.TraceRequestStartParams
    ) -> None:
        path = _api_path(params.url.path)
        if path is None or path.startswith(OUTSIDE_GLOBAL_LIMIT):
            return
        await self._budget.spend(_priority(params.method, path))

    async def _on_end(
        self, _session: aiohttp.ClientSession, _context: Any, params: aiohttp.TraceRequestEndParams
    ) -> None:
        path, headers = _api_path(params.url.path), params.response.headers
        if path is None or path.startswith(OUTSIDE_GLOBAL_LIMIT):
            return
        slot = _current_slot.get()
        if "X-RateLimit-Limit" in headers:
            self._budget.is_unlimited = False
        elif slot is not None and params.response.status < 300:
            self._budget.is_unlimited = True
        if params.response.status == TOO_MANY and headers.get("X-RateLimit-Scope") == "global":
            # discord.py holds back new requests only, not those that already wait for the budget.
            self._budget.pause(float(headers.get("Retry-After", 1)))
        if slot is not None and MESSAGE.fullmatch(path):
            if not slot.is_answered:
                slot.is_answered = True
                slot.queue.unanswered -= 1
            if headers.get("X-RateLimit-Scope") != "global":
                with contextlib.suppress(KeyError, ValueError):  # headers of another route, or none
                    self._update(slot.queue, headers, is_refusal=params.response.status == TOO_MANY)
            self._release(slot.queue)

    def _update(self, queue: _ChannelQueue, headers: Mapping[str, str], *, is_refusal: bool) -> None:
        """Update the channel's limit from the headers of a response."""
        left, after_s = int(headers["X-RateLimit-Remaining"]), float(headers["X-RateLimit-Reset-After"])
        if not is_refusal:
            queue.limit = max(1, int(headers["X-RateLimit-Limit"]))
            if left == queue.limit - 1:  # the first message of its window
                queue.window_s = after_s
        queue.free = max(0, left - queue.unanswered)
        queue.resets_at = self._clock() + after_s


def _api_path(path: str) -> str | None:
    """Return the path below the API's version; None for a URL outside the API."""
    found = API.match(path)
    return found[1] if found else None


def _priority(method: str, path: str) -> Priority:
    slot = _current_slot.get()
    if slot is not None:
        return Priority.MESSAGE
    return Priority.REACTION if method != "GET" and REACTION.search(path) else Priority.OTHER
