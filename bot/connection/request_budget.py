"""A budget of requests a second, the most urgent first."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from enum import IntEnum


class Priority(IntEnum):
    """What goes first."""

    NOTICE = 0
    MESSAGE = 1
    OTHER = 2
    REACTION = 3


class PriorityWaiters:
    """Those who wait, the most urgent first and then the earliest."""

    def __init__(self) -> None:
        self._heap: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        """Return how many wait, at least; 0 only if none does."""
        while self._heap and self._heap[0][2].done():  # given up
            heapq.heappop(self._heap)
        return len(self._heap)

    def add(self, priority: Priority) -> "asyncio.Future[None]":
        """Return what is done when it is this one's turn."""
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (priority, next(self._numbers), turn))
        return turn

    def let_next(self) -> bool:
        """Let the next one go on, if there is one."""
        if not len(self):
            return False
        heapq.heappop(self._heap)[2].set_result(None)
        return True


class RequestBudget:
    """A token bucket for requests. While `is_unlimited` is set, no request waits."""

    def __init__(self, *, a_second: float, saved_up: float, clock: Callable[[], float]) -> None:
        self._rate, self._most, self._clock = a_second, saved_up, clock
        self._is_unlimited = True
        self._left, self._counted_at = saved_up, clock()
        self._waiting = PriorityWaiters()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._waiting)

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing waits."""
        return self._is_unlimited

    @is_unlimited.setter
    def is_unlimited(self, is_so: bool) -> None:
        self._is_unlimited = is_so
        if is_so:
            self._left = max(0.0, self._left)
            self._let_go()

    async def spend(self, priority: Priority) -> None:
        """Wait until there is room for one more request."""
        if self._is_unlimited:
            return
        turn = self._waiting.add(priority)
        self._let_go()
        await turn

    def pause(self, seconds: float) -> None:
        """Let nothing go for so long, and have nothing saved up then."""
        self._let_go()
        self._left = min(self._left, -seconds * self._rate)

    def _let_go(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._counted_at) * self._rate)
        self._counted_at = now
        while (self._left >= 1 or self._is_unlimited) and self._waiting.let_next():
            self._left -= 1
        if len(self._waiting) and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.001, (1 - self._left) / self._rate), self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._let_go()
