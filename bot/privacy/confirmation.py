"""A confirmation with two buttons that one person may press, for a few minutes."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import structlog

from bot.commands.error_replies import log_if_unanswerable
from bot.errors import DISCORD_ERRORS
from bot.texts import say

log = structlog.stdlib.get_logger(__name__)
OPEN_S = 300.0  # an ephemeral message can be edited for fifteen minutes


class ConfirmationView(discord.ui.View):
    """The confirm and cancel buttons; set `message` to the message they are in once it is sent.

    `texts` is the key of their texts.
    """

    def __init__(
        self,
        user_id: int,
        *,
        on_yes: Callable[[discord.Interaction], Awaitable[None]],
        prefix: str,
        texts: str = "forgetting",
    ) -> None:
        super().__init__(timeout=OPEN_S)
        self._user_id, self._on_yes, self._prefix, self._texts = user_id, on_yes, prefix, texts
        self.message: discord.Message | None = None
        buttons = (
            (say(f"confirmation.{texts}.button"), discord.ButtonStyle.danger, self._yes),
            (say(f"confirmation.{texts}.keep"), discord.ButtonStyle.secondary, self._no),
        )
        for label, style, pressed in buttons:
            button: discord.ui.Button[ConfirmationView] = discord.ui.Button(label=label, style=style)
            button.callback = pressed  # type: ignore[method-assign]
            self.add_item(button)

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Refuse everyone else."""
        if interaction.user.id == self._user_id:
            return True
        await interaction.response.send_message(say(f"confirmation.{self._texts}.not_yours"), ephemeral=True)
        return False

    async def on_timeout(self) -> None:
        """Say that it has expired."""
        if self.message is not None:
            text = say(
                f"confirmation.{self._texts}.too_late", minutes=round(OPEN_S / 60), prefix=self._prefix
            )
            try:
                await self.message.edit(content=text, view=None)
            except DISCORD_ERRORS:
                log.info("message.not_edited", message_id=self.message.id)

    async def on_error(
        self, interaction: discord.Interaction, error: Exception, item: discord.ui.Item[Any], /
    ) -> None:
        """Log a button whose interaction could not be answered; its action goes on."""
        if not log_if_unanswerable(error):
            log.error("button.failed", exc_info=error)

    async def _yes(self, interaction: discord.Interaction) -> None:
        self.stop()
        await self._on_yes(interaction)

    async def _no(self, interaction: discord.Interaction) -> None:
        self.stop()
        await interaction.response.edit_message(content=say(f"confirmation.{self._texts}.kept"), view=None)
