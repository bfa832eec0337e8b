"""The buttons under the verdict of a run whose version waits for an admin's decision.

Their custom ids hold the run and the version, so they work after a restart. They dispatch events to the cog
`Decide`, which checks from the database and the registry what is still possible.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, Self, cast

import discord
from discord import ui

from bot.texts import say
from bot.voting.menus import FORM_OPEN_S
from storage.runs import UNDECIDED, Run
from training.corpus.language import examples

DecisionKind = Literal["promote", "keep", "compare"]
MAX_SENTENCE_CHARS = 400
STYLES: Mapping[DecisionKind, discord.ButtonStyle] = {
    "promote": discord.ButtonStyle.success,
    "keep": discord.ButtonStyle.secondary,
    "compare": discord.ButtonStyle.secondary,
}


class DecisionButton(
    ui.DynamicItem[ui.Button[Any]],
    template=r"run:(?P<what>promote|keep|compare):(?P<id>[0-9]{1,18}):(?P<version>v[0-9]{4,9})",
):
    """A button; discord.py recreates it from its custom id."""

    def __init__(self, item: ui.Button[Any], what: DecisionKind, run_id: int, version: str) -> None:
        super().__init__(item)
        self.what, self.run_id, self.version = what, run_id, version

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Recreate the button that was pressed."""
        button = cast("ui.Button[Any]", item)
        return cls(button, cast(DecisionKind, match["what"]), int(match["id"]), match["version"])

    async def callback(self, interaction: discord.Interaction) -> None:
        """Tell the cog that it was pressed."""
        interaction.client.dispatch("run_decision", interaction, self.what, self.run_id, self.version)


class ComparisonForm(ui.Modal):
    """Asks for the sentence in which two versions are compared."""

    def __init__(self, run_id: int, version: str) -> None:
        super().__init__(title=say("decision.form_title"), timeout=FORM_OPEN_S)
        self.run_id, self.version = run_id, version
        self.sentence: ui.TextInput[Any] = ui.TextInput(
            label=say("decision.form_sentence"), default=examples().example, max_length=MAX_SENTENCE_CHARS
        )
        self.add_item(self.sentence)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Dispatch the sentence to the cog."""
        interaction.client.dispatch(
            "run_comparison", interaction, self.run_id, self.version, self.sentence.value
        )


def decision_view(run: Run | None) -> ui.View | None:
    """Build the buttons of a run whose version may still be promoted; None for any other."""
    if run is None or run.status not in UNDECIDED or run.challenger is None:
        return None
    view = ui.View(timeout=None)
    for what, style in STYLES.items():
        button: ui.Button[Any] = ui.Button(
            custom_id=f"run:{what}:{run.id}:{run.challenger}",
            label=say(f"decision.buttons.{what}", champion=run.champion),
            style=style,
        )
        view.add_item(DecisionButton(button, what, run.id, run.challenger))
    view.stop()  # the buttons are dispatched by custom id, so discord.py need not keep this view
    return view
