"""Who may see a query that was asked somewhere: the policies, side by side.

| shown to | where | queries of |
|---|---|---|
| whoever reads a channel | verdicts, digests, `report`, `stats`, `quiz` there | `open_channel_ids` |
| one person, in their direct messages | `quiz` there, `export` | `readable_channel_ids` |
| the asker | `mydata` | their own |

None of them shows what was asked in direct messages. `quiz` and `export` also leave out replies that were
deleted and what people asked who opted out (`storage.votes.shown_queries`), and queries that personal data
was taken out of (`storage.people.personal_data`).
"""

from collections.abc import Iterable

import discord
from discord.abc import GuildChannel


def open_channel_ids(client: discord.Client, channel_id: int) -> set[int]:
    """This channel, and those of its server that everybody there may read; none for a direct message."""
    channel = client.get_channel(channel_id)
    if not isinstance(channel, GuildChannel | discord.Thread):
        return set()
    return {channel_id} | _readable(channel.guild, channel.guild.default_role)


def readable_channel_ids(members: Iterable[discord.Member]) -> set[int]:
    """The channels and open threads that a person may read, in the servers they are a member of.

    Left out: private threads, as Discord does not tell who is in them, and archived ones.
    """
    return {found for member in members for found in _readable(member.guild, member)}


def _readable(guild: discord.Guild, who: discord.Member | discord.Role) -> set[int]:
    """The channels of a server whose history somebody may read, and the open threads in them."""
    channels = {one.id for one in guild.channels if _may_read(one, who)}
    threads = {one.id for one in guild.threads if one.parent_id in channels and not one.is_private()}
    return channels | threads


def _may_read(channel: GuildChannel, who: discord.Member | discord.Role) -> bool:
    may = channel.permissions_for(who)
    if isinstance(channel, discord.VoiceChannel | discord.StageChannel) and not may.connect:
        return False
    return may.view_channel and may.read_message_history
