"""The end of a process, at a step of its training."""

from training.progress import NoProgress


class Killed(BaseException):
    """Stands for the end of the process."""


class Deadly(NoProgress):
    """Kills after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def advance(self, units: int = 1, **figures: float) -> None:
        self.left -= units
        if self.left < 0:
            raise Killed
