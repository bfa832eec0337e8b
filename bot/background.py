"""Background tasks: kept from being collected, logged when they fail, restarted where they are endless."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from bot.operations.metrics import Metrics

log = structlog.stdlib.get_logger(__name__)
GRACE_S = 3.0  # for what only has to say its last word
FIRST_S, AT_MOST_S = 1.0, 60.0  # until a failed loop is restarted; twice as long each time
CANCEL_AGAIN_S, CANCEL_TRIES = 0.5, 20
STEADY_S = 60.0  # a loop that ran for so long is well again

Work = Callable[[], Coroutine[Any, Any, None]]


class UnexpectedReturnError(Exception):
    """An endless loop returned."""

    def __init__(self) -> None:
        super().__init__("an endless task returned")


async def cancel(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they end: what they await may swallow a cancellation and raise another error.

    aiohttp does when the connection that it waits for is closed at the same moment. Gives up after
    `CANCEL_TRIES`.
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
    """Restarts loops that fail, and knows which are failing."""

    def __init__(
        self,
        metrics: Metrics | None = None,
        *,
        first_s: float = FIRST_S,
        at_most_s: float = AT_MOST_S,
        steady_s: float = STEADY_S,
    ) -> None:
        """Count failures in `metrics`.

        Args:
            metrics: has a counter for each task.
            first_s: until the first restart.
            at_most_s: between two restarts.
            steady_s: a loop that ran for so long since its restart is not failing any more.
        """
        self._metrics = metrics or Metrics()
        self._first_s, self._at_most_s, self._steady_s = first_s, at_most_s, steady_s
        # Task → type of its last error, and until when it is shown.
        self._failing: dict[str, tuple[str, float]] = {}

    async def run(self, name: str, work: Work, *, may_end: bool = False) -> None:
        """Run `work()` until this task is cancelled; start it again, with backoff, whenever it fails.

        Args:
            name: of the task, in logs, metrics and `/readyz`.
            work: makes the coroutine; called again for each restart.
            may_end: returning is no failure, and the end.
        """
        self._metrics.background_failures.labels(name)
        wait_s = self._first_s
        while True:
            error = await self._attempt(name, work, may_end=may_end)
            if error is None:
                self._failing.pop(name, None)
                return
            if not self.failing().get(name):  # it had been well
                wait_s = self._first_s
            self.note(name, error, again_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self._at_most_s)

    async def once(self, name: str, work: Work) -> None:
        """Run `work()` once; a failure is noted and not raised."""
        if (error := await self._attempt(name, work, may_end=True)) is not None:
            self.note(name, error)

    def note(self, name: str, error: BaseException, *, again_s: float = 0.0) -> None:
        """Log and count a failure, and show it for a while."""
        self._failing[name] = type(error).__name__, time.monotonic() + again_s + self._steady_s
        self._metrics.background_failures.labels(name).inc()
        log.error("task.failed", task=name, again_s=again_s, exc_info=error)

    def failing(self) -> dict[str, str]:
        """Task → type of its last error, for those that failed and are not steady since."""
        now = time.monotonic()
        return {name: kind for name, (kind, until) in self._failing.items() if now < until}

    async def _attempt(self, name: str, work: Work, *, may_end: bool) -> BaseException | None:
        """Run it once. Returns what went wrong."""
        try:
            await work()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return error  # something that it waited for was cancelled, and not the loop
        except Exception as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            return error
        return None if may_end else UnexpectedReturnError()


class Background:
    """Tasks that nobody awaits."""

    def __init__(self, supervisor: Supervisor | None = None) -> None:
        """Start without any; `supervisor` restarts those that are endless."""
        self.supervisor = supervisor or Supervisor()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endless: set[asyncio.Task[Any]] = set()

    def start(
        self, work: Coroutine[Any, Any, Any], *, name: str, is_endless: bool = False
    ) -> asyncio.Task[Any]:
        """Run `work` once; its failure is noted. `close` does not wait for what `is_endless`."""
        task = asyncio.create_task(work, name=name)
        (self._endless if is_endless else self._tasks).add(task)
        task.add_done_callback(self._done)
        return task

    def supervise(self, work: Work, *, name: str, may_end: bool = False) -> asyncio.Task[None]:
        """Run an endless loop, restarted when it fails; as `Supervisor.run`. `close` cancels it at once."""
        return self.start(self.supervisor.run(name, work, may_end=may_end), name=name, is_endless=True)

    async def close(self, *, grace_s: float = GRACE_S) -> None:
        """Give what runs `grace_s` to finish, then cancel the rest and wait for it. Idempotent."""
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
