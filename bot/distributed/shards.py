"""Which guilds' events this process receives: Discord assigns each guild to a shard by its id."""

from collections.abc import Iterator
from dataclasses import dataclass

from storage.votes.recent_replies import shard_of


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of this process, of `count` in total."""

    ids: tuple[int, ...] = (0,)
    count: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether this process runs all shards."""
        return len(self.ids) == self.count

    @property
    def share(self) -> float:
        """The share of the bot's shards that run here, in (0, 1]."""
        return len(self.ids) / self.count

    @property
    def names(self) -> Iterator[str]:
        """Names of the locks that keep other processes from running the same shards."""
        return (f"shard {one} of {self.count}" for one in self.ids)

    def has(self, guild_id: int | None) -> bool:
        """Whether a guild's events arrive here; those of direct messages (None) go to shard 0."""
        return shard_of(guild_id or 0, self.count) in self.ids

    def __str__(self) -> str:
        """As in `0, 1 of 4`."""
        return f"{', '.join(map(str, self.ids))} of {self.count}"


WHOLE = Shards()
