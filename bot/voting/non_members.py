"""Who gives thumbs in direct messages and may not vote there any more."""

from collections.abc import Collection

import discord

from bot.access import Access


async def non_members(
    message: discord.Message, people: Collection[int], access: Access, may_vote: dict[int, bool]
) -> frozenset[int]:
    """Those of some people who left the servers, where the message is a direct one.

    `may_vote` remembers who was looked up.
    """
    if getattr(message.channel, "guild_id", None) is not None:
        return frozenset()
    for person in people:
        if person not in may_vote:
            may_vote[person] = await access.may_vote(person, None)
    return frozenset(person for person in people if not may_vote[person])
