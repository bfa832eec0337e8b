"""The quiz buttons “Next” and “Stop”. Their custom ids hold the person's id, so they work after a restart."""

import re
from typing import Any, Literal, Protocol, Self, cast

import discord
from discord import ui

from bot.texts import say

QuizAction = Literal["next", "stop"]
EMOJI = {"next": "▶️", "stop": "⏹️"}


class QuizControls(Protocol):
    """What the buttons call; implemented by the cog `Quiz`."""

    async def press(self, interaction: discord.Interaction, what: QuizAction, person_id: int) -> None:
        """Show the next sentence, or end the quiz."""


class QuizButton(ui.DynamicItem[ui.Button[Any]], template=r"quiz:(?P<what>next|stop):(?P<id>[0-9]{1,20})"):
    """A quiz button; discord.py recreates it from its custom id."""

    def __init__(self, what: QuizAction, person_id: int) -> None:
        style = discord.ButtonStyle.primary if what == "next" else discord.ButtonStyle.secondary
        label, custom_id = say(f"quiz.buttons.{what}"), f"quiz:{what}:{person_id}"
        super().__init__(ui.Button(custom_id=custom_id, label=label, emoji=EMOJI[what], style=style))
        self.what, self.person_id = what, person_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Recreate the button that was pressed."""
        return cls(cast(QuizAction, match["what"]), int(match["id"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        """Pass the press to the cog."""
        cog = cast(QuizControls, cast(Any, interaction.client).get_cog("Quiz"))
        await cog.press(interaction, self.what, self.person_id)
