"""Access control: members of allowed servers may ask, admins may manage."""

from collections.abc import Callable, Collection

import discord
import structlog
from discord.ext import commands

from bot.connection.session import UNREACHABLE
from bot.connection.tolerant_parsers import UnreadableError, fetch_channels, reraising_malformed
from bot.embeds.replies import escape
from bot.errors import NotAdminError

log = structlog.stdlib.get_logger(__name__)
REFUSED = (discord.NotFound, discord.Forbidden)
REMEMBERED = 10_000  # people, the latest ones


class Access:
    """The server allow-list and the admin roles.

    `is_here` says whether this process receives the events of a server.
    """

    def __init__(
        self,
        client: commands.Bot,
        *,
        guild_ids: Collection[int],
        admin_role_ids: Collection[int],
        is_here: Callable[[int], bool] = lambda _guild_id: True,
    ) -> None:
        self._client = client
        self._guild_ids = frozenset(guild_ids)
        self._admin_role_ids = frozenset(admin_role_ids)
        self._is_here = is_here
        self._found_in: dict[int, int] = {}  # person → a server they are a member of

    def is_listed(self, guild_id: int | None) -> bool:
        """Whether the bot works in this server. For direct messages (None), ask `may_ask`."""
        return guild_id is not None and guild_id in self._guild_ids

    async def may_ask(self, user: discord.abc.User, guild_id: int | None) -> bool:
        """Whether a person may ask: in an allowed server, or in a direct message as a member of one."""
        if guild_id is not None:
            return self.is_listed(guild_id)
        return await self._is_in_one(user.id)

    async def may_vote(self, user_id: int, guild_id: int | None) -> bool:
        """Whether a reaction counts: in an allowed server, or in a direct message by a member of one.

        Discord does not report who leaves, so the person is looked up each time. If the look-up fails the
        vote counts, since it would be lost otherwise.
        """
        if guild_id is not None:
            return self.is_listed(guild_id)
        try:
            return await self._is_in_one(user_id)
        except UNREACHABLE as error:
            log.warning("voter.not_looked_up", reason=str(error))
            return True

    async def require_admin(self, user: discord.abc.User, guild_id: int | None) -> None:
        """Check that a person is an admin.

        Raises:
            NotAdminError: They are not; the text names the roles that would do.
        """
        if await self._is_owner(user):
            return
        if guild_id is None:
            members = await self.memberships(user)
        else:
            members = [user] if self.is_listed(guild_id) and isinstance(user, discord.Member) else []
        if not any(self._is_admin(member) for member in members):
            raise NotAdminError(self._role_names())

    async def _is_owner(self, user: discord.abc.User) -> bool:
        """Whether the application belongs to this person or their team; False if the look-up fails."""
        try:
            with reraising_malformed():
                return await self._client.is_owner(user)
        except (*UNREACHABLE, UnreadableError) as error:
            log.warning("owner.not_known", reason=f"{type(error).__name__}: {error}")
            return False

    def _is_admin(self, member: discord.Member) -> bool:
        held = {role.id for role in member.roles}
        return member.guild_permissions.manage_guild or bool(held & self._admin_role_ids)

    async def memberships(
        self, user: discord.abc.Snowflake, *, with_channels: bool = False, only_in: int | None = None
    ) -> list[discord.Member]:
        """Return the person as a member of each allowed server, or of one of them; members are not cached.

        Servers that another process receives are included, with channels if those are needed. Servers whose
        look-up fails are skipped.

        Raises:
            discord.HTTPException, aiohttp.ClientError, OSError: All look-ups failed, one of them for such a
                reason.
        """
        members = []
        failed: Exception | None = None
        for guild_id in self._guild_ids if only_in is None else self._guild_ids & {only_in}:
            try:
                guild = self._client.get_guild(guild_id) or await self._fetch_guild(guild_id, with_channels)
                if guild is not None:
                    with reraising_malformed():
                        members.append(guild.get_member(user.id) or await guild.fetch_member(user.id))
            except UNREACHABLE as error:
                _log_skipped(guild_id, error)
                failed = failed if isinstance(error, REFUSED) else error
            except UnreadableError as error:
                log.warning("member.unreadable", guild_id=guild_id, user_id=user.id, error=str(error))
        if failed is not None and not members:
            raise failed
        return members

    async def _is_in_one(self, user_id: int) -> bool:
        """Whether a person is a member of an allowed server; tries the one that was found last first."""
        last = self._found_in.pop(user_id, None)
        failed: Exception | None = None
        for guild_id in sorted(self._guild_ids, key=lambda one: (one != last, not self._is_here(one))):
            guild = self._client.get_guild(guild_id)
            if guild is None and self._is_here(guild_id):  # the bot is not a member
                continue
            try:
                if guild is None or guild.get_member(user_id) is None:
                    await self._client.http.get_member(guild_id, user_id)
            except UNREACHABLE as error:
                _log_skipped(guild_id, error)
                failed = failed if isinstance(error, REFUSED) else error
                continue
            self._found_in[user_id] = guild_id
            if len(self._found_in) > REMEMBERED:
                del self._found_in[next(iter(self._found_in))]
            return True
        if failed is not None:
            raise failed
        return False

    async def _fetch_guild(self, guild_id: int, with_channels: bool) -> discord.Guild | None:
        """Fetch a server that another process receives; None if the bot is not in it."""
        if self._is_here(guild_id):
            return None
        try:
            with reraising_malformed():
                guild = await self._client.fetch_guild(guild_id, with_counts=False)
            if with_channels:  # `fetch_guild` returns none
                await fetch_channels(guild)
        except REFUSED:
            return None
        except UnreadableError as error:
            log.warning("server.unreadable", guild_id=guild_id, error=str(error))
            return None
        return guild

    def _role_names(self) -> list[str]:
        roles = [guild.get_role(i) for guild in self._client.guilds for i in sorted(self._admin_role_ids)]
        return [escape(role.name) for role in roles if role is not None]


def _log_skipped(guild_id: int, error: Exception) -> None:
    if not isinstance(error, discord.NotFound):  # the person is simply not a member
        log.warning("server.not_asked", guild_id=guild_id, reason=f"{type(error).__name__}: {error}")
