"""How long a run still takes: by how the step in progress goes, and by how long runs like it took. Pure."""

from collections.abc import Sequence
from statistics import median


class RemainingTime:
    """Follows one run; times are seconds of one clock, any."""

    def __init__(self, started: float, *, earlier_s: Sequence[float] = ()) -> None:
        """Begin at `started`; `earlier_s`: how long runs like it took."""
        self._started, self._step_started, self._step = started, started, ""
        self._expected_s = median(earlier_s) if earlier_s else None

    def estimate(self, step: str, done: int, total: int, now: float) -> float | None:
        """Seconds left, or None while nothing is known; the longer of the two estimates.

        Args:
            step: the name of the step in progress.
            done: units of it that are done.
            total: units of it; 0 where they cannot be counted.
            now: the time.
        """
        if step != self._step:
            self._step, self._step_started = step, now
        guesses = []
        if 0 < done < total:
            guesses.append((now - self._step_started) * (total - done) / done)
        if self._expected_s is not None and now - self._started < self._expected_s:
            guesses.append(self._expected_s - (now - self._started))
        return max(guesses, default=None)
