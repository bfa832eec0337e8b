"""Report the transfer of a large file as a step of the progress."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.progress import Progress

MIN_REPORTED_BYTES = 32 << 20  # smaller files are not reported
MEGABYTE = 1_000_000


class TransferProgress:
    """A step of the progress, in megabytes; small files are not reported."""

    def __init__(self, progress: "Progress | None", name: str) -> None:
        self._progress, self._name = progress, name
        self._is_shown, self._left = False, 0

    def sized(self, size: int) -> None:
        """Begin the step, if the file is large."""
        if self._progress is not None and size >= MIN_REPORTED_BYTES:
            self._is_shown = True
            self._progress.step(self._name, size // MEGABYTE)

    def moved(self, size: int) -> None:
        """Count transferred bytes."""
        if self._is_shown and self._progress is not None:
            whole, self._left = divmod(self._left + size, MEGABYTE)
            self._progress.advance(whole)
