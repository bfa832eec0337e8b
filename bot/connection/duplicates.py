"""What was heard already, since Discord may tell of the same thing twice."""

from typing import Any

import discord
from discord import app_commands

REMEMBERED = 1000  # messages, or commands


class SeenIds:
    """The ids of what was heard lately."""

    def __init__(self) -> None:
        """Start with none."""
        self._ids: dict[int, None] = {}  # the oldest first

    def is_new(self, heard_id: int) -> bool:
        """Whether this was not heard before; it is from now on."""
        if heard_id in self._ids:
            return False
        self._ids[heard_id] = None
        if len(self._ids) > REMEMBERED:
            del self._ids[next(iter(self._ids))]
        return True


class DeduplicatingTree(app_commands.CommandTree[Any]):
    """Slash commands, each carried out once."""

    def __init__(self, client: Any, **options: Any) -> None:
        """Start with none heard."""
        super().__init__(client, **options)
        self._seen = SeenIds()

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Refuse a command that Discord tells of again: it would be answered twice."""
        return self._seen.is_new(interaction.id)
