"""Who may do what: members of listed servers may ask, admins may manage."""

from collections.abc import Collection

import discord
from discord.ext import commands

from bot.embeds.replies import escape
from bot.errors import NotAdminError


class Access:
    """The allow-list of servers and the admin roles."""

    def __init__(
        self, client: commands.Bot, *, guild_ids: Collection[int], admin_role_ids: Collection[int]
    ) -> None:
        """Take the lists from the settings, and the client to look people up."""
        self._client = client
        self._guild_ids = frozenset(guild_ids)
        self._admin_role_ids = frozenset(admin_role_ids)

    def is_listed(self, guild_id: int | None) -> bool:
        """Whether the bot works in this server; direct messages (None) are decided by person."""
        return guild_id is not None and guild_id in self._guild_ids

    async def may_ask(self, user: discord.abc.User, guild_id: int | None) -> bool:
        """In a listed server, or in a direct message by a member of one."""
        if guild_id is not None:
            return self.is_listed(guild_id)
        return bool(await self.memberships(user))

    async def require_admin(self, user: discord.abc.User, guild_id: int | None) -> None:
        """Refuse who is no admin.

        Raises:
            NotAdminError: names the roles that would do.
        """
        if await self._client.is_owner(user):  # of the application, or one of the team that owns it
            return
        if guild_id is None:
            members = await self.memberships(user)
        else:
            members = [user] if self.is_listed(guild_id) and isinstance(user, discord.Member) else []
        if not any(self._is_admin(member) for member in members):
            raise NotAdminError(self._role_names())

    async def readable_channel_ids(self, user: discord.abc.User) -> set[int]:
        """The channels and open threads of listed servers that a person may read."""
        found = set()
        for member in await self.memberships(user):
            guild = member.guild
            threads = (thread for thread in guild.threads if not thread.is_private())
            for channel in (*guild.channels, *threads):
                may = channel.permissions_for(member)
                if may.view_channel and may.read_message_history:
                    found.add(channel.id)
        return found

    def _is_admin(self, member: discord.Member) -> bool:
        held = {role.id for role in member.roles}
        return member.guild_permissions.manage_guild or bool(held & self._admin_role_ids)

    async def memberships(self, user: discord.abc.User) -> list[discord.Member]:
        """The person as a member of each listed server; looked up, since members are not cached."""
        members = []
        for guild_id in self._guild_ids:
            guild = self._client.get_guild(guild_id)
            if guild is None:
                continue
            member = guild.get_member(user.id)
            if member is None:
                try:
                    member = await guild.fetch_member(user.id)
                except discord.NotFound:
                    continue
            members.append(member)
        return members

    def _role_names(self) -> list[str]:
        roles = [guild.get_role(i) for guild in self._client.guilds for i in sorted(self._admin_role_ids)]
        return [escape(role.name) for role in roles if role is not None]
