"""The controls of a reply: two menus to rate its words, and a button to suggest a word.

Their custom ids hold only the prediction id, so they work after a restart. They dispatch events to the cog
`Rating`, which decides from the database who may use them.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal, Self, cast, get_args

import discord
from discord import ui

from bot.answering.chat_text import visible
from bot.embeds.replies import clipped, escape
from bot.texts import say
from storage.votes.menu_votes import MaskWord, Reason, Standing

ControlKind = Literal["fit", "unfit", "suggest", "back", "again", "why"]
MAX_OPTIONS = 25  # Discord's maximum for a menu
MAX_FIELDS = 5  # Discord's maximum for a form
MAX_LABEL = 100
MAX_WORD = 40
FORM_OPEN_S = 3600.0  # Discord does not report that a form was closed


class Control(
    ui.DynamicItem[ui.Item[Any]],
    template=r"words:(?P<what>fit|unfit|suggest|back|again|why):(?P<id>[0-9]{1,18})",
):
    """A menu or button; discord.py recreates it from its custom id."""

    def __init__(self, item: ui.Item[Any], what: ControlKind, prediction_id: int) -> None:
        super().__init__(item)
        self.what, self.prediction_id = what, prediction_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Recreate the control that was used."""
        return cls(item, cast(ControlKind, match["what"]), int(match["id"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        """Dispatch the choice to the cog."""
        if self.what == "again":
            interaction.client.dispatch("words_again", interaction, self.prediction_id)
            return
        chosen = list(getattr(self.item, "values", ()))
        interaction.client.dispatch("words_control", interaction, self.what, self.prediction_id, chosen)


class SuggestForm(ui.Modal):
    """Asks for a word for each mask; at least one must be given."""

    def __init__(self, prediction_id: int, *, masks: int) -> None:
        super().__init__(title=say("rating.form_title"), timeout=FORM_OPEN_S)
        self.prediction_id = prediction_id
        self.typed: list[ui.TextInput[Any]] = [
            ui.TextInput(
                label=say("rating.form_word") if masks == 1 else say("rating.form_word_for", number=mask + 1),
                placeholder=say("rating.form_hint"),
                required=masks == 1,
                min_length=1 if masks == 1 else None,
                max_length=MAX_WORD,
            )
            for mask in range(masks)
        ]
        for one in self.typed:
            self.add_item(one)
        self.why: ui.Select[Any] | None = None
        if masks < MAX_FIELDS:
            self.why = ui.Select(required=False, options=_reason_options())
            self.add_item(ui.Label(text=say("rating.form_why"), component=self.why))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Dispatch the typed words to the cog; a field without a letter counts as empty."""
        words = {mask: visible(one.value) for mask, one in enumerate(self.typed)}
        typed = {mask: word for mask, word in words.items() if any(character.isalnum() for character in word)}
        reasons = chosen_reasons(self.why.values if self.why is not None else ())
        reason = reasons[0] if reasons else None
        interaction.client.dispatch("words_suggested", interaction, self.prediction_id, typed, reason)


def words_for_each(masks: int, *, shown_words: int) -> int:
    """Return how many words a reply shows for each mask, within what its menus can hold."""
    return min(shown_words, MAX_OPTIONS // max(masks, 1))


def rating_view(prediction_id: int, words: Sequence[MaskWord]) -> ui.View:
    """Build both menus and the button for the words of a prediction."""
    view = ui.View(timeout=None)
    several = any(mask for mask, _ in words)
    options = [
        discord.SelectOption(
            label=clipped(f"{mask + 1} · {word}" if several else word, MAX_LABEL), value=option(mask, word)
        )
        for mask, word in words[:MAX_OPTIONS]
    ]
    signs: tuple[ControlKind, ControlKind] = ("fit", "unfit")
    for sign in signs:
        menu: ui.Select[Any] = ui.Select(
            custom_id=f"words:{sign}:{prediction_id}",
            placeholder=say(f"rating.controls.{sign}"),
            min_values=0,
            max_values=len(options),
            # discord.py defaults to `required: true`, which Discord rejects along with `min_values: 0`:
            # 50035 SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES (discord.py #10291).
            required=False,
            options=options,
        )
        view.add_item(Control(menu, sign, prediction_id))
    view.add_item(_button("suggest", prediction_id, emoji="✏️"))
    return view


def renewed_view(prediction_id: int, words: Sequence[MaskWord], message: discord.Message) -> ui.View:
    """Build the controls of an existing reply again, keeping its other buttons, such as a quiz's."""
    view = rating_view(prediction_id, words)
    for item in ui.View.from_message(message, timeout=None).children:
        if not str(getattr(item, "custom_id", "")).startswith("words:"):
            item.row = None
            view.add_item(item)
    view.stop()  # the items are dispatched by custom id, so discord.py need not keep this view
    return view


def take_back_view(prediction_id: int, *, asks_why: bool = False, may_try_again: bool = False) -> ui.View:
    """Build the menu that asks why words do not fit, and the buttons of the line that confirms a choice.

    They take the choice back, and ask for further words.
    """
    view = ui.View(timeout=None)
    if asks_why:
        menu: ui.Select[Any] = ui.Select(
            custom_id=f"words:why:{prediction_id}",
            placeholder=say("rating.controls.why"),
            options=_reason_options(),
        )
        view.add_item(Control(menu, "why", prediction_id))
    view.add_item(_button("back", prediction_id))
    if may_try_again:
        view.add_item(_button("again", prediction_id, emoji="🔁"))
    return view


def chosen_reasons(values: Sequence[str]) -> list[Reason]:
    """Return the reasons among the values of a menu."""
    return [reason for reason in get_args(Reason) if reason in values]


def _reason_options() -> list[discord.SelectOption]:
    return [
        discord.SelectOption(label=say(f"rating.reasons.{reason}"), value=reason)
        for reason in get_args(Reason)
    ]


def option(mask: int, word: str) -> str:
    """Return the value of a menu option, within Discord's limit of 100 characters."""
    return f"{mask}:{word}"[:MAX_LABEL]


def standing_text(standing: Standing, *, masks: int) -> str:
    """Summarise a person's standing votes on a reply in one line."""

    def words(chosen: Sequence[MaskWord]) -> str:
        return ", ".join(escape(f"{word} ({mask + 1})" if masks > 1 else word) for mask, word in chosen)

    liked, disliked = standing.liked, standing.disliked
    parts = [f"👍 {words(liked)}"] * bool(liked) + [f"👎 {words(disliked)}"] * bool(disliked)
    line = say("rating.stands", votes=" · ".join(parts)) if parts else say("rating.nothing_stands")
    return line if standing.is_counted else f"{line} {say('rating.not_counted')}"


def _button(what: ControlKind, prediction_id: int, *, emoji: str | None = None) -> Control:
    button: ui.Button[Any] = ui.Button(
        custom_id=f"words:{what}:{prediction_id}", label=say(f"rating.controls.{what}"), emoji=emoji
    )
    return Control(button, what, prediction_id)
