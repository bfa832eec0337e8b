"""Drops duplicate events: Discord may deliver a message or an interaction twice."""

from typing import Any

import discord
from discord import app_commands

REMEMBERED = 1000  # Discord repeats an event within seconds, if at all


class SeenIds:
    """The ids of the latest events."""

    def __init__(self) -> None:
        self._ids: dict[int, None] = {}  # oldest first

    def is_new(self, event_id: int) -> bool:
        """Return whether the id is new, and remember it."""
        if event_id in self._ids:
            return False
        self._ids[event_id] = None
        if len(self._ids) > REMEMBERED:
            del self._ids[next(iter(self._ids))]
        return True


class DeduplicatingTree(app_commands.CommandTree[Any]):
    """A command tree that runs each interaction once."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        self._seen = SeenIds()

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Reject an interaction that was delivered before."""
        return self._seen.is_new(interaction.id)
