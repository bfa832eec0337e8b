"""Answers sentences with a blank that come without a command, where the bot is spoken to or listens.

It is spoken to in direct messages, in messages that mention it and in replies to its messages, and it listens
in the channels of `FILLBOT_LISTEN_CHANNEL_IDS`. Nothing of a text without a blank is stored or logged.
"""

from typing import Any

import discord
import structlog
from discord.ext import commands

from bot.answering.chat_text import has_unmistakable_blank, without_mentions
from bot.commands.context import Context
from bot.connection.session import UNREACHABLE
from bot.errors import NotListedError
from bot.texts import say
from bot.wiring import Parts
from storage.people.privacy import is_opted_out
from training.corpus.language import examples

log = structlog.stdlib.get_logger(__name__)
GREETINGS, GREETINGS_WITHIN_S = 2, 60.0  # per person


class Listening(commands.Cog):
    """Hears sentences without a command, and greets those who write to the bot without a blank."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._channel_ids = frozenset(parts.discord.endpoint.listen_channel_ids)
        self._greetings: commands.CooldownMapping[discord.Message] = commands.CooldownMapping.from_cooldown(
            GREETINGS, GREETINGS_WITHIN_S, commands.BucketType.user
        )
        self._bot.hear = self.hear

    async def hear(self, message: discord.Message) -> str | None:
        """Return the sentence of a message that is answered without a command; None for other messages.

        People who opted out are not heard in channels; they are answered where they speak to the bot.
        """
        if message.author.bot or not has_unmistakable_blank(message.content):
            return None
        if not self._is_spoken_to(message):
            is_listed = not self._channel_ids.isdisjoint(_places(message.channel))
            if not is_listed or await is_opted_out(self._database, message.author.id):
                return None
        return without_mentions(message.content, self._bot.own_id)

    @commands.Cog.listener()
    async def on_plain_message(self, context: Context) -> None:
        """Say how to ask where somebody writes to the bot without a blank."""
        message = context.message
        if message.guild is not None and not self._is_mentioned(message):
            return
        bucket = self._greetings.get_bucket(message)
        if bucket is None or bucket.update_rate_limit() is not None:
            return
        try:
            is_allowed = await self._bot.may_ask(context)
        except UNREACHABLE as error:
            log.warning("greeting.not_sent", reason=str(error) or type(error).__name__)
            return
        if not is_allowed:
            await self._bot.on_command_error(context, NotListedError())
            return
        example = examples().example
        if message.guild is not None and self._channel_ids.isdisjoint(_places(message.channel)):
            example = f"@{context.me.display_name} {example}"
        await self._bot.send_sentence(
            context, say("listening.hello", example=example, prefix=self._bot.prefix)
        )

    def _is_spoken_to(self, message: discord.Message) -> bool:
        """Whether a message is a direct one, mentions the bot, or replies to it."""
        if message.guild is None or any(one.id == self._bot.own_id for one in message.mentions):
            return True
        answered = message.reference.resolved if message.reference is not None else None
        return isinstance(answered, discord.Message) and answered.author.id == self._bot.own_id

    def _is_mentioned(self, message: discord.Message) -> bool:
        """Whether the text itself mentions the bot; a reply does so by default, even one of thanks."""
        return without_mentions(message.content, self._bot.own_id) != message.content.strip()


def _places(channel: Any) -> set[int]:
    """Return the id of a channel, and of the one that a thread belongs to."""
    return {channel.id, getattr(channel, "parent_id", None) or channel.id}
