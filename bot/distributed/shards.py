"""Which servers' events this process hears: Discord deals them out to shards by the server's id."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of this process, of `count` in all."""

    ids: tuple[int, ...] = (0,)
    count: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether there are no others, elsewhere."""
        return len(self.ids) == self.count

    @property
    def share(self) -> float:
        """The share of the bot's shards that run here, in (0, 1]."""
        return len(self.ids) / self.count

    @property
    def names(self) -> Iterator[str]:
        """Of the locks that keep others from running the same."""
        return (f"shard {one} of {self.count}" for one in self.ids)

    def has(self, guild_id: int | None) -> bool:
        """Whether a server's events come here; those of direct messages (None) come to shard 0."""
        return (0 if guild_id is None else (guild_id >> 22) % self.count) in self.ids

    def __str__(self) -> str:
        """As people read it: `0, 1 of 4`."""
        return f"{', '.join(map(str, self.ids))} of {self.count}"


WHOLE = Shards()
