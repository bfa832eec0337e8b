"""Discord's limits on files."""

from __future__ import annotations

from collections.abc import Sequence

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal

MAX_FILES = 10
MAX_FILE_BYTES = 10 * 1024 * 1024


def check_files(sizes: Sequence[int]) -> None:
    """Refuse too many files (50035) or one that is too large (40005)."""
    if len(sizes) > MAX_FILES:
        raise InvalidBodyError(
            "attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FILES} or fewer in length."
        )
    if any(size > MAX_FILE_BYTES for size in sizes):
        raise ApiError(Refusal.ENTITY_TOO_LARGE)
