"""Which queries may be shown to whom: all policies, side by side.

| shown to | where | queries of |
|---|---|---|
| all readers of a channel | verdicts, digests, `report`, `stats`, `quiz`, `words` | `open_channel_ids` |
| one person, in their direct messages | `quiz` and `words` there, `export` | `readable_channel_ids` |
| the asker | `mydata` | their own |

None of them shows queries from direct messages. `quiz` and `export` also leave out deleted replies, queries
of people who opted out (`storage.votes.shown_queries`), and queries from which personal data was removed
(`storage.people.personal_data`).
"""

from collections.abc import Iterable

import discord
from discord.abc import GuildChannel


def open_channel_ids(client: discord.Client, channel_id: int) -> set[int]:
    """Return this channel and those that everyone in its server may read; none in a direct message."""
    channel = client.get_channel(channel_id)
    if not isinstance(channel, GuildChannel | discord.Thread):
        return set()
    return {channel_id} | _readable(channel.guild, channel.guild.default_role)


def readable_channel_ids(members: Iterable[discord.Member]) -> set[int]:
    """Return the channels and open threads that a person may read in their servers.

    Private threads are left out, since Discord does not say who is in them; so are archived ones.
    """
    return {found for member in members for found in _readable(member.guild, member)}


def _readable(guild: discord.Guild, who: discord.Member | discord.Role) -> set[int]:
    """Return the channels whose history `who` may read, and the public threads in them."""
    channels = {one.id for one in guild.channels if _may_read(one, who)}
    threads = {one.id for one in guild.threads if one.parent_id in channels and not one.is_private()}
    return channels | threads


def _may_read(channel: GuildChannel, who: discord.Member | discord.Role) -> bool:
    may = channel.permissions_for(who)
    if isinstance(channel, discord.VoiceChannel | discord.StageChannel) and not may.connect:
        return False
    return may.view_channel and may.read_message_history
