"""Background tasks: strong references, failures logged, endless loops restarted."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from bot.operations.metrics import Metrics

log = structlog.stdlib.get_logger(__name__)
GRACE_S = 3.0  # enough to send a last message; longer would delay every shutdown
FIRST_S, AT_MOST_S = 1.0, 60.0  # restart delays
CANCEL_AGAIN_S, CANCEL_TRIES = 0.5, 20
STEADY_S = 60.0

Work = Callable[[], Coroutine[Any, Any, None]]


class UnexpectedReturnError(Exception):
    """A loop that should run forever returned."""

    def __init__(self) -> None:
        super().__init__("an endless task returned")


async def cancel(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks, repeatedly, until they end; give up after `CANCEL_TRIES`.

    One call is not always enough: aiohttp swallows a cancellation when the connection it waits for is closed
    at the same moment.
    """
    left = tasks
    for _ in range(CANCEL_TRIES):
        if not left:
            return
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    log.error("task.not_cancelled", tasks=sorted(task.get_name() for task in left))


class Supervisor:
    """Restarts loops that fail, and knows which of them are failing.

    Args:
        metrics: counts the failures of each task.
        first_s: delay before the first restart; it doubles with each further one.
        at_most_s: longest delay.
        steady_s: a loop that ran this long since its restart no longer counts as failing.
    """

    def __init__(
        self,
        metrics: Metrics | None = None,
        *,
        first_s: float = FIRST_S,
        at_most_s: float = AT_MOST_S,
        steady_s: float = STEADY_S,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._first_s, self._at_most_s, self._steady_s = first_s, at_most_s, steady_s
        # Task → type of its last error, and when it stops being listed (time.monotonic).
        self._failing: dict[str, tuple[str, float]] = {}

    async def run(self, name: str, work: Work, *, may_end: bool = False) -> None:
        """Run `work()` until this task is cancelled, and restart it with exponential backoff when it fails.

        Args:
            name: of the task, in logs, metrics and `/readyz`.
            work: makes the coroutine; called again for each restart.
            may_end: a normal return ends the loop instead of counting as a failure.
        """
        self._metrics.background_failures.labels(name)
        wait_s = self._first_s
        while True:
            error = await self._attempt(name, work, may_end=may_end)
            if error is None:
                self._failing.pop(name, None)
                return
            if not self.failing().get(name):  # it had recovered
                wait_s = self._first_s
            self.note(name, error, again_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self._at_most_s)

    async def once(self, name: str, work: Work) -> None:
        """Run `work()` once; a failure is recorded and not raised."""
        if (error := await self._attempt(name, work, may_end=True)) is not None:
            self.note(name, error)

    def note(self, name: str, error: BaseException, *, again_s: float = 0.0) -> None:
        """Log and count a failure, and list it in `failing` for a while."""
        self._failing[name] = type(error).__name__, time.monotonic() + again_s + self._steady_s
        self._metrics.background_failures.labels(name).inc()
        log.error("task.failed", task=name, again_s=again_s, exc_info=error)

    def failing(self) -> dict[str, str]:
        """Task → type of its last error, for tasks that failed recently."""
        now = time.monotonic()
        return {name: kind for name, (kind, until) in self._failing.items() if now < until}

    async def _attempt(self, name: str, work: Work, *, may_end: bool) -> BaseException | None:
        """Run it once and return its error, if any."""
        try:
            await work()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return error  # what the loop awaited was cancelled, not the loop itself
        except Exception as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            return error
        return None if may_end else UnexpectedReturnError()


class Background:
    """Tasks that run without being awaited; `supervisor` restarts the endless ones."""

    def __init__(self, supervisor: Supervisor | None = None) -> None:
        self.supervisor = supervisor or Supervisor()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endless: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    def start(
        self, work: Coroutine[Any, Any, Any], *, name: str, is_endless: bool = False
    ) -> asyncio.Task[Any]:
        """Run `work` once and record its failure. `close` cancels an endless task at once.

        After `close` the task is cancelled before it begins.
        """
        task = asyncio.create_task(work, name=name)
        if self._is_closed:
            task.cancel()
        (self._endless if is_endless else self._tasks).add(task)
        task.add_done_callback(self._done)
        return task

    def supervise(self, work: Work, *, name: str, may_end: bool = False) -> asyncio.Task[None]:
        """Run an endless loop, restarted as in `Supervisor.run`."""
        return self.start(self.supervisor.run(name, work, may_end=may_end), name=name, is_endless=True)

    async def close(self, *, grace_s: float = GRACE_S) -> None:
        """Give running tasks `grace_s` to finish, then cancel them and wait for them. Idempotent."""
        self._is_closed = True
        for task in self._endless:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace_s)
        await cancel({*self._tasks, *self._endless})

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._endless.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.supervisor.note(task.get_name(), error)
