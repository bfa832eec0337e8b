"""Tasks in the background: kept from being collected, and their exceptions logged."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.stdlib.get_logger(__name__)
GRACE_S = 3.0  # for what only has to say its last word


class Background:
    """Tasks that nobody awaits."""

    def __init__(self) -> None:
        """Start without any."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endless: set[asyncio.Task[Any]] = set()

    def start(
        self, work: Coroutine[Any, Any, Any], *, name: str, is_endless: bool = False
    ) -> asyncio.Task[Any]:
        """Run `work`; should it fail, that is logged under `name`. `close` does not wait for endless work."""
        task = asyncio.create_task(work, name=name)
        (self._endless if is_endless else self._tasks).add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self, *, grace_s: float = GRACE_S) -> None:
        """Give what runs `grace_s` to finish, then cancel the rest and wait for it. Idempotent."""
        for task in self._endless:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._endless, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._endless.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task.failed", task=task.get_name(), exc_info=error)
