"""Shards: a bot in many guilds receives the events of each over one of several connections."""

from dataclasses import dataclass
from typing import Any

from bot.sandbox.world.state import Json

OF_THE_GUILD = ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE")  # events whose id is the guild's


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` connections."""

    id: int
    count: int

    def has(self, guild_id: int | None) -> bool:
        """Return whether a guild's events arrive here; those of direct messages (None) go to shard 0."""
        return self.id == (0 if guild_id is None else (guild_id >> 22) % self.count)

    def receives(self, event: str, body: Json) -> bool:
        """Return whether an event arrives here; with one shard, every event does, whatever its shape."""
        if self.count == 1:
            return True
        guild_id = body.get("id" if event in OF_THE_GUILD else "guild_id")
        return self.has(None if guild_id is None else int(guild_id))


WHOLE = Shard(0, 1)


def read_shard(body: Json) -> Shard | None:
    """Return the shard of an IDENTIFY, by default the only one; None if it is invalid."""
    asked: Any = body.get("shard")
    if asked is None:
        return WHOLE
    if not isinstance(asked, list) or len(asked) != 2 or not all(type(one) is int for one in asked):
        return None
    return Shard(*asked) if 0 <= asked[0] < asked[1] else None


class IdentifyLimit:
    """Limits IDENTIFY to one per bucket of shards in `every_s` seconds; 0 switches the limit off."""

    def __init__(self, *, max_concurrency: int, every_s: float) -> None:
        self.max_concurrency, self._every_s = max_concurrency, every_s
        self._began_at: dict[int, float] = {}

    def may_begin(self, shard: Shard, now: float) -> bool:
        """Count an IDENTIFY at a time of `time.monotonic`; return False if it comes too soon."""
        bucket = shard.id % self.max_concurrency
        is_soon = bucket in self._began_at and now - self._began_at[bucket] < self._every_s
        if not is_soon:
            self._began_at[bucket] = now
        return not is_soon
