"""Several servers on one sandbox, spread evenly over shards, and somebody who is in all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from support.sandbox_world import add_channel, add_guild, add_person

from bot.sandbox.gateway.sharding import Shard
from bot.sandbox.server import Sandbox


@dataclass(frozen=True, slots=True)
class Team:
    """A server with one channel."""

    guild_id: int
    channel_id: int

    def shard(self, count: int) -> int:
        return next(one for one in range(count) if Shard(one, count).has(self.guild_id))


def found_teams(sandbox: Sandbox, count: int, *, member: str = "mia") -> list[Team]:
    """The sandbox's own team and others, `count` in all; the shards of their servers take turns."""
    person = add_person(sandbox, member, guild_id=sandbox.guild_id)
    teams = [Team(sandbox.guild_id, sandbox.channel_id)]
    for guild_id in _ids(sandbox.guild_id, count - 1):
        ids = (sandbox.owner_id, person.id, sandbox.bot_user_id)
        guild = add_guild(sandbox, f"team {len(teams)}", member_ids=ids, guild_id=guild_id)
        teams.append(Team(guild.id, add_channel(sandbox, "support", guild_id=guild.id).id))
    return teams


def _ids(first: int, count: int) -> Iterator[int]:
    for number in range(1, count + 1):
        yield ((first >> 22) + number) << 22
