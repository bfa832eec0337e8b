"""Progress of a run: bars in a terminal, JSON lines for the bot."""

import json
import sys
import time
from typing import Any, Protocol, TextIO

from tqdm import tqdm

REPORT_EVERY_S = 0.5


class Progress(Protocol):
    """Receives the progress of a run."""

    def step(self, name: str, total: int = 0) -> None:
        """Begin a step of `total` units of work; 0 if they cannot be counted."""

    def advance(self, units: int = 1, **figures: float) -> None:
        """Add finished units, with the current figures."""

    def event(self, name: str, **values: Any) -> None:
        """Report an event."""


class NoProgress:
    """Ignores all progress."""

    def step(self, name: str, total: int = 0) -> None:
        """Ignore it."""

    def advance(self, units: int = 1, **figures: float) -> None:
        """Ignore it."""

    def event(self, name: str, **values: Any) -> None:
        """Ignore it."""


NO_PROGRESS = NoProgress()


class TerminalProgress:
    """One bar per step, on standard error."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def step(self, name: str, total: int = 0) -> None:
        """Finish the bar before and start one."""
        self.close()
        if total:
            self._bar = tqdm(total=total, desc=name, leave=True, file=sys.stderr, dynamic_ncols=True)
        else:
            sys.stderr.write(f"{name} …\n")

    def advance(self, units: int = 1, **figures: float) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(units)
            if figures:
                self._bar.set_postfix({k: f"{v:.3g}" for k, v in figures.items()}, refresh=False)

    def event(self, name: str, **values: Any) -> None:
        """Ignore it: the command prints its outcome."""

    def close(self) -> None:
        """Finish the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class JsonProgress:
    """One JSON object per line on `stream`, for each step at most one every `REPORT_EVERY_S`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._name, self._total, self._done = "", 0, 0
        self._last = 0.0

    def step(self, name: str, total: int = 0) -> None:
        """Begin a step."""
        self._name, self._total, self._done = name, total, 0
        self._report({})

    def advance(self, units: int = 1, **figures: float) -> None:
        """Count the units, and report if the last report is old enough."""
        self._done += units
        if self._done >= self._total or time.monotonic() - self._last >= REPORT_EVERY_S:
            self._report(figures)

    def event(self, name: str, **values: Any) -> None:
        """Report at once."""
        self._write({"event": name, **values})

    def _report(self, figures: dict[str, float]) -> None:
        self._last = time.monotonic()
        line = {"event": "progress", "step": self._name, "done": self._done, "total": self._total}
        self._write({**line, **{k: round(v, 4) for k, v in figures.items()}})

    def _write(self, line: dict[str, Any]) -> None:
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()
