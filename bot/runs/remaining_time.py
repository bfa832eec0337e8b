"""Estimates the remaining time of a run from the current step's rate and from earlier runs. Pure."""

from collections.abc import Sequence
from statistics import median


class RemainingTime:
    """The estimate for one run. All times are seconds of the same clock.

    Args:
        started: when the run started.
        earlier_s: durations of earlier runs with the same trigger.
    """

    def __init__(self, started: float, *, earlier_s: Sequence[float] = ()) -> None:
        self._started, self._step_started, self._step = started, started, ""
        self._expected_s = median(earlier_s) if earlier_s else None

    def estimate(self, step: str, done: int, total: int, now: float) -> float | None:
        """Estimate the seconds left: the longer of two estimates, or None without any.

        Args:
            step: the name of the current step.
            done: units of the step that are done.
            total: units of the step; 0 if they cannot be counted.
            now: the current time.
        """
        if step != self._step:
            self._step, self._step_started = step, now
        guesses = []
        if 0 < done < total:
            guesses.append((now - self._step_started) * (total - done) / done)
        if self._expected_s is not None and now - self._started < self._expected_s:
            guesses.append(self._expected_s - (now - self._started))
        return max(guesses, default=None)
