"""Send the progress of the first worker through a queue to the process that waits for it."""

import time
from typing import Any

from training.progress import REPORT_EVERY_S, Progress

ProgressCall = tuple[str, tuple[Any, ...], dict[str, Any]]  # a method of Progress and its arguments


class QueueProgress:
    """A `Progress` that puts its calls on a queue; calls of `advance` within half a second are combined."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._units, self._figures, self._last = 0, dict[str, float](), 0.0

    def step(self, name: str, total: int = 0) -> None:
        """Send the beginning of a step."""
        self.flush()
        self._queue.put_nowait(("step", (name, total), {}))

    def advance(self, units: int = 1, **figures: float) -> None:
        """Add units; later figures replace earlier ones."""
        self._units += units
        self._figures |= figures
        if time.monotonic() - self._last >= REPORT_EVERY_S:
            self.flush()

    def event(self, name: str, **values: Any) -> None:
        """Send an event at once."""
        self.flush()
        self._queue.put_nowait(("event", (name,), values))

    def flush(self) -> None:
        """Send the combined calls of `advance`."""
        if self._units:
            self._queue.put_nowait(("advance", (self._units,), self._figures))
        self._units, self._figures, self._last = 0, {}, time.monotonic()


def replay(progress: Progress, call: ProgressCall) -> None:
    """Make a call from the queue on `progress`."""
    method, arguments, values = call
    function: Any = {"step": progress.step, "advance": progress.advance, "event": progress.event}[method]
    function(*arguments, **values)
