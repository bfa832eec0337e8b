"""Keeps replies in step with questions that are edited or deleted."""

from datetime import UTC, datetime

import discord
import structlog
from discord.ext import commands

from bot.commands.context import Context
from bot.wiring import Parts
from storage.votes.predictions import detach_reply

log = structlog.stdlib.get_logger(__name__)


class Edits(commands.Cog):
    """Listeners for edited and deleted questions."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Answer an edited question: in the same reply while it has no votes, else in a new one."""
        message = payload.message
        if message.author.bot or message.webhook_id is not None or message.edited_at is None:
            return
        questions = self._bot.questions
        async with questions.locks.hold(message.id):
            before = questions.answered(message.id)
            if before is None and not questions.is_recent(message):
                return
            if before is not None and before.content == message.content:
                return  # Discord added a link preview
            context: Context = await self._bot.get_context(message)
            if context.command is None or context.command.name != "fill":
                return
            if before is not None and await self._may_replace(before.reply):
                context.reply_to_edit = before.reply
            log.info("question.edited", message_id=message.id, in_place=context.reply_to_edit is not None)
            await self._bot.invoke(context)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Delete the reply to a question that is deleted soon after asking, unless it has votes."""
        questions = self._bot.questions
        async with questions.locks.hold(payload.message_id):
            answered = questions.answered(payload.message_id)
            questions.forget(payload.message_id)
            if answered is None or not await self._may_replace(answered.reply):
                return
            try:
                await answered.reply.delete()
            except discord.HTTPException as error:
                log.warning("reply.not_deleted", message_id=answered.reply.id, status=error.status)

    async def _may_replace(self, reply: discord.Message) -> bool:
        """Whether a reply has no votes. If so, votes under it no longer count for what it showed."""
        return await detach_reply(self._database, reply.id, now=datetime.now(UTC))
