"""Large files on their way, as a step of the progress."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.progress import Progress

SHOWN_BYTES = 32 << 20  # from this size on
MEGABYTE = 1_000_000


class TransferProgress:
    """A step of the progress for a large file, in megabytes."""

    def __init__(self, progress: "Progress | None", name: str) -> None:
        self._progress, self._name = progress, name
        self._is_shown, self._left = False, 0

    def sized(self, size: int) -> None:
        """Begin the step where that is much."""
        if self._progress is not None and size >= SHOWN_BYTES:
            self._is_shown = True
            self._progress.step(self._name, size // MEGABYTE)

    def moved(self, size: int) -> None:
        """Count."""
        if self._is_shown and self._progress is not None:
            whole, self._left = divmod(self._left + size, MEGABYTE)
            self._progress.advance(whole)
