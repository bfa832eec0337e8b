"""Progress of the first worker, told to the process that waits for it: a queue between them."""

import time
from typing import Any

from training.progress import REPORT_EVERY_S, Progress

ProgressCall = tuple[str, tuple[Any, ...], dict[str, Any]]  # a method of Progress, and what it is called with


class QueueProgress:
    """A `Progress` that puts words on a queue, and what was advanced in half a second together."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._units, self._figures, self._last = 0, dict[str, float](), 0.0

    def step(self, name: str, total: int = 0) -> None:
        """Begin a step."""
        self.flush()
        self._queue.put_nowait(("step", (name, total), {}))

    def advance(self, units: int = 1, **figures: float) -> None:
        """Count; the last figures stand for those before."""
        self._units += units
        self._figures |= figures
        if time.monotonic() - self._last >= REPORT_EVERY_S:
            self.flush()

    def event(self, name: str, **values: Any) -> None:
        """Tell at once."""
        self.flush()
        self._queue.put_nowait(("event", (name,), values))

    def flush(self) -> None:
        """Tell what waits."""
        if self._units:
            self._queue.put_nowait(("advance", (self._units,), self._figures))
        self._units, self._figures, self._last = 0, {}, time.monotonic()


def replay(progress: Progress, call: ProgressCall) -> None:
    """Say here what was said there."""
    method, arguments, values = call
    told: Any = {"step": progress.step, "advance": progress.advance, "event": progress.event}[method]
    told(*arguments, **values)
