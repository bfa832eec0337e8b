"""A token bucket for requests, in which requests of higher priority overtake."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from enum import IntEnum


class Priority(IntEnum):
    """Lower values go first."""

    NOTICE = 0
    MESSAGE = 1
    OTHER = 2
    REACTION = 3


class PriorityQueue:
    """A queue of futures by priority, and first come, first served within one."""

    def __init__(self) -> None:
        self._heap: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        """Return at least how many wait; 0 only if none does."""
        while self._heap and self._heap[0][2].done():  # cancelled
            heapq.heappop(self._heap)
        return len(self._heap)

    def add(self, priority: Priority) -> "asyncio.Future[None]":
        """Append a future; `release_next` completes it."""
        released = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (priority, next(self._numbers), released))
        return released

    def release_next(self) -> bool:
        """Complete the first future. Returns whether one was waiting."""
        if not len(self):
            return False
        heapq.heappop(self._heap)[2].set_result(None)
        return True


class RequestBudget:
    """A token bucket for requests. While `is_unlimited` is set, none waits."""

    def __init__(self, *, rate_per_s: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate_per_s, self._burst, self._clock = rate_per_s, burst, clock
        self._is_unlimited = True
        self._tokens, self._refilled_at = burst, clock()
        self._waiting = PriorityQueue()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def is_unlimited(self) -> bool:
        """Whether the server has no limits, so that no request waits."""
        return self._is_unlimited

    @is_unlimited.setter
    def is_unlimited(self, value: bool) -> None:
        self._is_unlimited = value
        if value:
            self._tokens = max(0.0, self._tokens)
            self._release()

    async def spend(self, priority: Priority) -> None:
        """Take a token; wait until there is one."""
        if self._is_unlimited:
            return
        released = self._waiting.add(priority)
        self._release()
        await released

    def pause(self, seconds: float) -> None:
        """Release no request for some seconds, and start without a burst then."""
        self._release()
        self._tokens = min(self._tokens, -seconds * self._rate_per_s)

    def _release(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled_at) * self._rate_per_s)
        self._refilled_at = now
        while (self._tokens >= 1 or self._is_unlimited) and self._waiting.release_next():
            self._tokens -= 1
        if len(self._waiting) and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.001, (1 - self._tokens) / self._rate_per_s), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._release()
