"""`!quiz`: asks people to rate the sentences where a vote is most informative, one at a time."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal, Self, cast

import discord
import structlog
from discord import ui
from discord.ext import commands

from bot.answering.query_handler import QueryOrigin
from bot.answering.vote_adjustment import VoteRules
from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.connection.session import UNREACHABLE
from bot.errors import BotError, NotListedError, QueryError
from bot.features.quiz.examples import example_queries
from bot.features.quiz.ranking import RankedSentence, edge_cases, ranked
from bot.permissions import can_react
from bot.texts import say
from bot.visibility import open_channel_ids, readable_channel_ids
from bot.voting.menus import rating_view
from bot.wiring import Parts
from storage.people.privacy import is_opted_out
from storage.votes import menu_votes, quiz
from storage.votes.quiz import OpenSentence, QuizItem

log = structlog.stdlib.get_logger(__name__)
SendItem = Callable[[str, discord.Embed, discord.ui.View], Awaitable[discord.Message]]
QuizAction = Literal["next", "stop"]
EMOJI = {"next": "▶️", "stop": "⏹️"}


class QuizError(BotError):
    """A person may not press this quiz button."""


class QuizButton(ui.DynamicItem[ui.Button[Any]], template=r"quiz:(?P<what>next|stop):(?P<id>[0-9]{1,20})"):
    """A button of a quiz item.

    Its custom id holds the id of the person asked, so that discord.py recreates it after a restart.
    """

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
        """Tell the cog that it was pressed."""
        interaction.client.dispatch("quiz_button", interaction, self.what, self.person_id)


class Quiz(commands.Cog):
    """The command `!quiz` and its buttons."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database, self._settings = parts.discord.bot, parts.storage.database, parts.settings
        self._query_handler, self._in_flight = parts.voting.query_handler, parts.voting.in_flight
        self._pressing: set[int] = set()  # messages whose button is being handled

    async def cog_load(self) -> None:
        """Register the buttons, so that those sent before this start work too."""
        self._bot.add_dynamic_items(QuizButton)

    @command("quiz", group="learn", usage="[stop]")
    async def quiz(self, context: Context, what: Literal["stop"] | None = None) -> None:
        """Rate words where your vote helps most, one sentence at a time."""
        person_id = context.author.id
        last = await self._latest(person_id, context.channel.id)
        if what == "stop":
            if last is None:
                await send_reply(context, say("quiz.not_begun", prefix=self._bot.prefix))
                return
            await self._end(last)
            await send_reply(context, await self._thanks(person_id, last.quiz_at))
            return

        async def send(text: str, embed: discord.Embed, view: discord.ui.View) -> discord.Message:
            return await send_reply(context, text, embed=embed, view=view)

        origin = QueryOrigin.of(context, quiz_at=datetime.now(UTC))
        if not await self._offer(origin, context.author, send, is_first=True):
            await send_reply(context, say("quiz.nothing_left"))
        elif last is not None:
            await self._end(last)

    @commands.Cog.listener()
    async def on_quiz_button(
        self, interaction: discord.Interaction, what: QuizAction, person_id: int
    ) -> None:
        """Show the next sentence, or end the quiz."""
        async with self._bot.replying_to_errors(interaction):
            if interaction.user.id != person_id:
                raise QuizError(say("quiz.not_yours", prefix=self._bot.prefix))
            message_id = interaction.message.id if interaction.message is not None else 0
            if message_id in self._pressing:  # pressed twice
                await interaction.response.defer()
                return
            self._pressing.add(message_id)
            try:
                await self._go_on(interaction, what, message_id)
            finally:
                self._pressing.discard(message_id)

    async def _go_on(self, interaction: discord.Interaction, what: QuizAction, message_id: int) -> None:
        await interaction.response.defer()  # Discord waits only 3 s; the rest may take longer
        person, channel_id = interaction.user, interaction.channel_id or 0
        if not await self._bot.access.may_ask(person, interaction.guild_id):
            raise NotListedError
        last = await self._latest(person.id, channel_id)
        if last is None or last.message_id != message_id:
            raise QuizError(say("quiz.moved_on", prefix=self._bot.prefix))
        if what == "next":

            async def send(text: str, embed: discord.Embed, view: discord.ui.View) -> discord.Message:
                return await interaction.followup.send(text, embed=embed, view=view, wait=True)

            origin = QueryOrigin(
                person.id,
                channel_id,
                interaction.guild_id,
                quiz_at=last.quiz_at,
                may_react=interaction.guild_id is None or can_react(interaction.app_permissions),
                is_interaction=True,
            )
            if await self._offer(origin, person, send):
                await self._end(last, interaction)
                return
        await self._end(last, interaction)  # last, so that the button still works after an error above
        thanks = await self._thanks(person.id, last.quiz_at)
        await interaction.followup.send(thanks if what == "stop" else f"{say('quiz.nothing_left')} {thanks}")

    async def _offer(
        self, origin: QueryOrigin, person: discord.abc.User, send: SendItem, *, is_first: bool = False
    ) -> bool:
        """Show the sentence where a vote is most informative. Returns False if none is left."""
        item = await self._best(origin, person)
        if item is None:
            return False
        text = say("quiz.item", because=say(f"quiz.because.{item.because}"))
        if is_first and await is_opted_out(self._database, person.id):
            text = f"{text}\n{say('quiz.opted_out')}"

        async def send_item(embed: discord.Embed, view: discord.ui.View) -> discord.Message:
            view.add_item(QuizButton("next", person.id)).add_item(QuizButton("stop", person.id))
            return await send(text, embed, view)

        await self._query_handler.reply(item.sentence.query, origin, send_item)
        log.info("quiz.asked", because=item.because, worth=round(item.worth, 2))
        return True

    async def _best(self, origin: QueryOrigin, person: discord.abc.User) -> RankedSentence | None:
        """Choose a sentence for this person that everybody in this channel may read."""
        if origin.guild_id is None:
            members = await self._bot.access.memberships(person, with_channels=True)
            channel_ids = readable_channel_ids(members)
        else:
            channel_ids = open_channel_ids(self._bot, origin.channel_id)
        sentences = await quiz.open_sentences(self._database, person.id, channel_ids=channel_ids)

        def choose() -> list[RankedSentence]:
            marked = edge_cases(self._settings.home / "runs")
            return ranked(sentences, VoteRules.of(self._settings), edge_cases=marked)

        for item in await asyncio.to_thread(choose):
            with contextlib.suppress(QueryError):  # the limits on length and masks may have been lowered
                self._query_handler.parse(item.sentence.query)
                return item
        return await self._example(person.id)

    async def _example(self, person_id: int) -> RankedSentence | None:
        """Choose one of the quiz's own sentences: on the first day people have asked nothing."""
        known = await quiz.known_hashes(self._database, person_id)
        for text in await asyncio.to_thread(example_queries):
            with contextlib.suppress(QueryError):
                query = self._query_handler.parse(text)
                if query.hash not in known:
                    return RankedSentence(OpenSentence(text, query.hash, 0, (), ()), 0.0, "example")
        return None

    async def _latest(self, person_id: int, channel_id: int) -> QuizItem | None:
        """Return the sentence that was offered last, once the replies being sent here are stored."""
        async with self._in_flight.after_replies(channel_id):
            return await quiz.latest_item(self._database, person_id)

    async def _end(self, last: QuizItem, interaction: discord.Interaction | None = None) -> None:
        """Remove the buttons from the sentence that was offered last, if it still exists.

        `interaction` is one of these buttons; it can edit the message even where the bot cannot see the
        channel.
        """
        if last.message_id is None:
            return
        ratable = await menu_votes.ratable(self._database, last.prediction_id)
        view = None if ratable is None else rating_view(ratable.id, ratable.words)
        with contextlib.suppress(*UNREACHABLE):
            if interaction is not None:
                await interaction.edit_original_response(view=view)
                return
            channel = self._bot.get_partial_messageable(last.channel_id)
            await channel.get_partial_message(last.message_id).edit(view=view)

    async def _thanks(self, person_id: int, quiz_at: datetime) -> str:
        progress = await quiz.quiz_progress(self._database, person_id, quiz_at=quiz_at)
        if not progress.words:
            return say("quiz.done_nothing")
        words, sentences = say("quiz.words", n=progress.words), say("quiz.sentences", n=progress.sentences)
        return say("quiz.done", words=words, sentences=sentences)
