"""Discord ids: 64-bit integers whose upper 42 bits are milliseconds since 2015."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
SEQUENCE_BITS = 22


class SnowflakeMint:
    """Generates strictly increasing ids, even when the clock stands still or jumps back; `now` is aware."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._last = 0

    def mint(self) -> int:
        """Return a new id, larger than every id before it."""
        wanted = ((self._now() - DISCORD_EPOCH) // timedelta(milliseconds=1)) << SEQUENCE_BITS
        self._last = max(wanted, self._last + 1)
        return self._last


def made_at(snowflake: int) -> datetime:
    """Return the aware UTC time (to the millisecond) that an id carries."""
    return DISCORD_EPOCH + timedelta(milliseconds=snowflake >> SEQUENCE_BITS)
