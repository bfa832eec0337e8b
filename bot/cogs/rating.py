"""Records votes from the menus and the form of a reply, and confirms each in an ephemeral line."""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import discord
import structlog
from discord.ext import commands

from bot.connection.session import UNREACHABLE
from bot.embeds.replies import MAX_CONTENT, clipped, escape
from bot.errors import (
    DeniedWordError,
    EmptyFormError,
    NoRoomError,
    NotAWordError,
    StaleMenuError,
    WordError,
)
from bot.permissions import can_see
from bot.texts import named, say
from bot.voting.menus import (
    MAX_OPTIONS,
    MAX_WORD,
    Control,
    ControlKind,
    SuggestForm,
    chosen_reasons,
    option,
    renewed_view,
    standing_text,
    take_back_view,
)
from bot.voting.next_steps import NextSteps
from bot.wiring import Parts
from storage.errors import PredictionGoneError
from storage.votes import menu_votes
from storage.votes.menu_votes import MaskWord, Ratable, Reason, Standing
from training.inference.vocabulary import denied_words, is_word

log = structlog.stdlib.get_logger(__name__)
SEVERAL = re.compile(r"[,;]+")  # between suggestions in one field


class Rating(commands.Cog):
    """Handlers of the controls of replies."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._predictor, self._in_flight = parts.inference.predictor, parts.voting.in_flight
        self._background, self._metrics = parts.operations.background, parts.operations.metrics
        self._next_steps = NextSteps(parts.storage.database, parts.settings, prefix=lambda: self._bot.prefix)

    async def cog_load(self) -> None:
        """Register the controls, so that those of earlier replies work too."""
        self._bot.add_dynamic_items(Control)

    @commands.Cog.listener()
    async def on_words_control(
        self, interaction: discord.Interaction, what: ControlKind, prediction_id: int, chosen: Sequence[str]
    ) -> None:
        """Handle a menu or a button."""
        async with self._bot.replying_to_errors(interaction), self._in_flight.track():
            is_on_reply = what not in ("back", "why")  # those are on the confirmation instead
            ratable = await self._ratable(interaction, prediction_id, is_on_reply=is_on_reply)
            if what == "suggest":
                await interaction.response.send_modal(SuggestForm(ratable.id, masks=_masks(ratable)))
            elif what == "back":
                standing = await menu_votes.withdraw_choices(
                    self._database, ratable.id, voter_id=interaction.user.id
                )
                log.info("votes.taken_back", prediction_id=ratable.id)
                text = standing_text(standing, masks=_masks(ratable))
                await interaction.response.edit_message(content=text, view=None)
            elif what == "why":
                await self._note_reason(interaction, ratable, chosen)
            else:
                await self._choose(interaction, ratable, 1 if what == "fit" else -1, chosen)

    @commands.Cog.listener()
    async def on_words_suggested(
        self,
        interaction: discord.Interaction,
        prediction_id: int,
        typed: dict[int, str],
        reason: Reason | None,
    ) -> None:
        """Handle the form; `typed` maps a mask to its word, `reason` is why the offered words were bad."""
        async with self._bot.replying_to_errors(interaction), self._in_flight.track():
            if not typed:
                raise EmptyFormError
            ratable = await self._ratable(interaction, prediction_id)
            words, refused = self._sorted(ratable, typed)
            if not words:
                raise WordError(refused)
            weight = await self._bot.vote_weights.weight_of(interaction.user, interaction.guild_id)
            with _stale_if_gone():
                standing = await menu_votes.suggest_words(
                    self._database,
                    ratable.id,
                    voter_id=interaction.user.id,
                    words=words,
                    cast_at=datetime.now(UTC),
                    weight=weight,
                    reason=reason,
                )
            self._metrics.vote("suggestion", 1, words=len(words))
            log.info("word.suggested", prediction_id=ratable.id, words=len(words))
            is_new = interaction.message is not None and not set(words) <= set(ratable.words)
            if is_new and not can_see(interaction):  # the bot's token cannot edit there
                await self._offer_by_token(interaction, ratable.id)
            next_step = ""
            if standing.is_counted:
                next_step = await self._next_steps.after(ratable.id, words, weight=weight, is_suggestion=True)
            await self._confirm(
                interaction, ratable, standing, is_suggestion=True, refused=refused, next_step=next_step
            )
            if is_new and can_see(interaction) and interaction.message is not None:
                self._background.start(self._offer(interaction.message, ratable.id), name="suggested word")

    async def _choose(
        self, interaction: discord.Interaction, ratable: Ratable, value: int, chosen: Sequence[str]
    ) -> None:
        offered = {option(mask, word): (mask, word) for mask, word in ratable.words}
        words = [offered[one] for one in dict.fromkeys(chosen) if one in offered]
        message = interaction.message
        if len(words) < len(set(chosen)):
            # A suggested word was taken back and has no votes left, so the menu is out of date.
            if message is not None:
                self._background.start(self._offer(message, ratable.id), name="menus renewed")
            if not words:
                raise StaleMenuError
        weight = await self._bot.vote_weights.weight_of(interaction.user, interaction.guild_id)
        with _stale_if_gone():
            standing = await menu_votes.store_choices(
                self._database,
                ratable.id,
                voter_id=interaction.user.id,
                value=1 if value > 0 else -1,
                words=words,
                cast_at=datetime.now(UTC),
                drawn_at=message.edited_at if message is not None else None,
                weight=weight,
            )
        self._metrics.vote("menu", value, words=len(words))
        log.info("vote.cast", prediction_id=ratable.id, value=value, words=len(words), via="menu")
        next_step = ""
        if any(self._predictor.is_denied(word) for _, word in words):
            next_step = say("rating.next.denied")
        elif standing.is_counted:
            next_step = await self._next_steps.after(ratable.id, words, weight=weight)
        asks_why = value < 0 and bool(words)
        await self._confirm(interaction, ratable, standing, next_step=next_step, asks_why=asks_why)

    async def _note_reason(
        self, interaction: discord.Interaction, ratable: Ratable, chosen: Sequence[str]
    ) -> None:
        """Store why the words that were rejected last are bad, and say so in the line above the menu."""
        reasons = chosen_reasons(chosen)
        if not reasons or not await menu_votes.give_reason(
            self._database, ratable.id, voter_id=interaction.user.id, reason=reasons[0]
        ):
            raise StaleMenuError
        log.info("vote.explained", prediction_id=ratable.id, reason=reasons[0])
        noted = say("rating.reason_noted", reason=named("rating.reasons", reasons[0]))
        start = say("rating.reason_noted", reason="")
        shown = interaction.message.content if interaction.message is not None else ""
        lines = [line for line in shown.split("\n") if not line.startswith(start)]
        text = clipped("\n".join(lines), MAX_CONTENT - len(noted) - 1)
        view = take_back_view(ratable.id, asks_why=True, may_try_again=not ratable.is_of_quiz)
        await interaction.response.edit_message(content=f"{text}\n{noted}", view=view)

    async def _confirm(
        self,
        interaction: discord.Interaction,
        ratable: Ratable,
        standing: Standing,
        *,
        is_suggestion: bool = False,
        refused: str = "",
        next_step: str = "",
        asks_why: bool = False,
    ) -> None:
        text = standing_text(standing, masks=_masks(ratable))
        if is_suggestion:
            text = say("rating.suggested", stands=text)
        # In lines of their own, which a long list of words does not cut off.
        more = "\n".join(filter(None, (refused, next_step)))
        text = f"{clipped(text, MAX_CONTENT - len(more) - 1)}\n{more}".rstrip()
        is_done = interaction.response.is_done()
        send: Any = interaction.followup.send if is_done else interaction.response.send_message
        if standing.liked or standing.disliked:
            may_try_again = bool(standing.disliked) and not is_suggestion and not ratable.is_of_quiz
            view = take_back_view(ratable.id, asks_why=asks_why, may_try_again=may_try_again)
            await send(text, view=view, ephemeral=True)
        else:
            await send(text, ephemeral=True)

    async def _offer_by_token(self, interaction: discord.Interaction, prediction_id: int) -> None:
        """Renew the menus through the interaction, in a channel that the bot cannot see."""
        ratable = await menu_votes.ratable(self._database, prediction_id)
        if ratable is not None and interaction.message is not None:
            view = renewed_view(ratable.id, ratable.words, interaction.message)
            await interaction.response.edit_message(view=view)

    async def _offer(self, message: discord.Message, prediction_id: int) -> None:
        """Add suggested words to the menus, so that others can rate them too."""
        ratable = await menu_votes.ratable(self._database, prediction_id)
        if ratable is not None:
            try:
                await message.edit(view=renewed_view(ratable.id, ratable.words, message))
            except UNREACHABLE as error:
                log.warning(
                    "menus.not_edited", message_id=message.id, reason=str(error) or type(error).__name__
                )

    async def _ratable(
        self, interaction: discord.Interaction, prediction_id: int, *, is_on_reply: bool = True
    ) -> Ratable:
        """Return the prediction of this reply, if this person may vote on it here.

        Raises:
            StaleMenuError: The control belongs to another reply or channel, or the person may not ask.
        """
        if not await self._bot.access.may_ask(interaction.user, interaction.guild_id):
            raise StaleMenuError
        channel_id = interaction.channel_id or 0
        ratable = await menu_votes.ratable(self._database, prediction_id)
        if ratable is not None and ratable.message_id is None:
            # Wait only if the message id is missing: Discord expects an answer within 3 s, and in a busy
            # channel replies can be sent later than that.
            async with self._in_flight.after_replies(channel_id):
                ratable = await menu_votes.ratable(self._database, prediction_id)
        message_id = interaction.message.id if interaction.message is not None else None
        if ratable is None or ratable.channel_id != channel_id:
            raise StaleMenuError
        if is_on_reply and ratable.message_id != message_id:
            raise StaleMenuError
        return ratable

    def _sorted(self, ratable: Ratable, typed: Mapping[int, str]) -> tuple[list[MaskWord], str]:
        """Return the suggested words that are accepted, and a line for each that is refused."""
        offered = set(ratable.words)
        words: list[MaskWord] = []
        refused: list[str] = []
        for mask, text in typed.items():
            for word in filter(None, map(str.strip, SEVERAL.split(text))):
                try:
                    words.append((mask, self._checked(word, mask, offered)))
                    offered.add(words[-1])
                except WordError as error:
                    refused.append(str(error))
        return list(dict.fromkeys(words)), "\n".join(dict.fromkeys(refused))

    def _checked(self, word: str, mask: int, offered: Collection[MaskWord]) -> str:
        """Return a suggested word as it is stored.

        Raises:
            NotAWordError: It is no single word of letters.
            DeniedWordError: It is on the deny-list.
            NoRoomError: The menus hold no more words than those offered already.
        """
        if len(word) > MAX_WORD or not is_word(word):
            raise NotAWordError(escape(word))
        if word.lower() in denied_words() or self._predictor.is_denied(word):
            raise DeniedWordError(escape(word))
        spelt = self._predictor.spelling(word)
        if (mask, spelt) not in offered and len(offered) >= MAX_OPTIONS:
            raise NoRoomError(escape(word))
        return spelt


@contextlib.contextmanager
def _stale_if_gone() -> Iterator[None]:
    """Say that the menu is stale where its prediction was deleted after it was looked up."""
    try:
        yield
    except PredictionGoneError as error:
        raise StaleMenuError from error


def _masks(ratable: Ratable) -> int:
    return 1 + max(mask for mask, _ in ratable.words)
