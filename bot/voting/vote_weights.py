"""How much a member's votes count by their roles: the weights of `FILLBOT_ROLE_WEIGHTS`."""

from collections.abc import Iterable, Sequence

import discord
import structlog

from bot.access import Access
from bot.connection.session import UNREACHABLE
from storage.votes.predictions import DEFAULT_WEIGHT

log = structlog.stdlib.get_logger(__name__)
RoleWeights = Sequence[tuple[str, float]]  # role name or id, and the weight


def is_meant(role: discord.Role, name_or_id: str) -> bool:
    """Whether a role has this id, or this name regardless of case."""
    return name_or_id == str(role.id) or name_or_id.casefold() == role.name.casefold()


class VoteWeights:
    """The weight with which a person's vote is stored."""

    def __init__(self, access: Access, role_weights: RoleWeights) -> None:
        self._access, self._role_weights = access, role_weights

    @property
    def is_uniform(self) -> bool:
        """Whether all votes weigh the same, so that no role needs to be known."""
        return not self._role_weights

    async def weight_of(self, user: discord.abc.Snowflake, guild_id: int | None) -> float:
        """Return the highest weight of a person's roles in a server; in a direct message, in all servers.

        A `discord.Member` has roles. Other users are looked up; their weight is the default if Discord does
        not answer, or if they left.
        """
        if self.is_uniform:
            return DEFAULT_WEIGHT
        if isinstance(user, discord.Member):
            return self._highest([user])
        try:
            return self._highest(await self._access.memberships(user, only_in=guild_id))
        except UNREACHABLE as error:
            log.warning("voter.roles_not_known", reason=f"{type(error).__name__}: {error}")
            return DEFAULT_WEIGHT

    def _highest(self, members: Iterable[discord.Member]) -> float:
        roles = [role for member in members for role in member.roles]
        weights = [w for name_or_id, w in self._role_weights if any(is_meant(r, name_or_id) for r in roles)]
        return max(weights, default=DEFAULT_WEIGHT)
