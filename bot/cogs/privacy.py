"""`!mydata`, `!forgetme`, `!optout`, `!optin`, `!export`: a person's rights over their data."""

import asyncio
import io
from datetime import UTC, datetime

import aiohttp
import discord
import structlog
from discord.ext import commands

from bot.background import Background
from bot.client import FillBot, command
from bot.context import Context, send_reply
from bot.embeds.replies import escape
from bot.errors import TooLargeError
from bot.privacy.confirmation import ConfirmationView, edit_or_write
from bot.privacy.export import VoteTable, to_csv
from bot.privacy.forgetting import ForgetResult, Forgetting
from bot.privacy.mydata import export_personal_data
from bot.settings import Settings
from bot.texts import say, translated
from bot.visibility import readable_channel_ids
from storage.database import Database
from storage.errors import StorageError
from storage.people import forgetting as forgetting_records
from storage.people import privacy
from storage.people.forgetting import Erased
from storage.people.personal_data import has_placeholder
from storage.votes import shown_queries
from storage.votes.predictions import votes_until
from training.errors import TrainingError

log = structlog.stdlib.get_logger(__name__)
FILE_LIMIT_BYTES = discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES  # Discord's limit in a direct message
EXPORT_CHUNK_ROWS = 2_000  # rows read before other tasks get a turn
OFFERS, OFFERS_WITHIN_S = 3, 3600.0  # per person: each may stop a run, and rewrites the database
CLOSED = (50007, 50278)  # codes: direct messages closed, no shared server
EXPORT_NAME = "fillbot-judgements.csv"


class Privacy(commands.Cog):
    """Commands about stored data."""

    def __init__(
        self,
        bot: FillBot,
        database: Database,
        forgetting: Forgetting,
        background: Background,
        *,
        settings: Settings,
    ) -> None:
        self._bot, self._database, self._settings = bot, database, settings
        self._forgetting, self._background = forgetting, background

    @command("mydata", is_ephemeral=True)
    async def mydata(self, context: Context) -> None:
        """Send the asker everything that is stored about them."""
        user_id = context.author.id
        since = (await privacy.summarize(self._database, user_id)).counted_since
        made = await export_personal_data(
            self._database,
            user_id,
            versions=self._forgetting.learnt_since(since),
            limit_bytes=FILE_LIMIT_BYTES,
        )
        lines = [say("privacy.your_data", votes=made.votes, queries=made.queries)]
        if made.is_zipped:
            lines.append(say("privacy.zipped"))
        if made.is_cut:
            lines.append(say("privacy.cut"))
        await self._send(context, "\n".join(lines), name=made.name, content=made.content)

    @command("export", is_for_admins=True, is_ephemeral=True)
    async def export(self, context: Context) -> None:
        """Send an admin the judgements on the queries that they may read."""
        members = await self._bot.access.memberships(context.author, with_channels=True)
        found = await shown_queries.voted_queries(self._database, readable_channel_ids(members))
        queries = {name: query for name, query in found.items() if not has_placeholder(query)}
        ballots, now = VoteTable(queries), datetime.now(UTC)
        async for chunk in votes_until(self._database, now, chunk_rows=EXPORT_CHUNK_ROWS):
            ballots.add(chunk)
        rows = await asyncio.to_thread(
            ballots.judged,
            now=now,
            min_voters=self._settings.needed_voters,
            half_life_days=self._settings.vote_half_life_days,
        )
        if not rows:
            await send_reply(context, say("export.nothing"), ephemeral=True)
            return
        await self._send(context, say("export.done", n=len(rows)), name=EXPORT_NAME, content=to_csv(rows))

    @command("optout", is_ephemeral=True)
    async def optout(self, context: Context) -> None:
        """Stop counting the asker's votes."""
        changed = await privacy.opt_out(self._database, context.author.id, now=datetime.now(UTC))
        votes = (await privacy.summarize(self._database, context.author.id)).votes
        if changed:
            text = say("privacy.opted_out", n=votes, prefix=self._bot.prefix)
        else:
            text = say("privacy.is_out", prefix=self._bot.prefix)
        await send_reply(context, text, ephemeral=True)

    @command("optin", is_ephemeral=True)
    async def optin(self, context: Context) -> None:
        """Count the asker's votes again."""
        changed = await privacy.opt_in(self._database, context.author.id)
        votes = (await privacy.summarize(self._database, context.author.id)).votes
        prefix = self._bot.prefix
        text = say("privacy.opted_in", n=votes) if changed else say("privacy.is_in", prefix=prefix)
        await send_reply(context, text, ephemeral=True)

    @command("forgetme", is_ephemeral=True, cooldown=(OFFERS, OFFERS_WITHIN_S))
    async def forgetme(self, context: Context) -> None:
        """Show what would be deleted, with a button that confirms."""
        known = await privacy.summarize(self._database, context.author.id)
        found = await forgetting_records.preview(self._database, context.author.id)
        versions = self._forgetting.versions_since(known.counted_since)
        if found == Erased() and known.counted_since is None:
            await send_reply(context, say("forgetting.nothing"), ephemeral=True)
            return
        lines = [say("forgetting.will"), *_counts(found), say("forgetting.copies")]
        if versions:
            lines.append(say("forgetting.versions", n=len(versions), names=", ".join(versions)))
        else:
            lines.append(say("forgetting.no_version"))
        lines.append(say("forgetting.stays"))
        offer = ConfirmationView(context.author.id, on_yes=self._begin, prefix=self._bot.prefix)
        offer.message = await send_reply(context, "\n".join(lines), view=offer, ephemeral=True)

    async def _begin(self, interaction: discord.Interaction) -> None:
        """Acknowledge the button, and forget in the background, since it takes longer than 3 s."""
        try:
            await interaction.response.edit_message(content=say("forgetting.working"), view=None)
        finally:
            self._background.start(self._forget(interaction), name="forgetting")

    async def _forget(self, interaction: discord.Interaction) -> None:
        try:
            done = await self._forgetting.forget(interaction.user.id)
            text = _summary(done)
            if not done.needs_run:
                await edit_or_write(interaction, f"{text}\n{say('forgetting.no_run')}")
                return
            await edit_or_write(interaction, f"{text}\n{say('forgetting.run')}")
            sentence = await self._forgetting.settle()
            await edit_or_write(
                interaction, f"{text}\n{say('forgetting.verdict', sentence=escape(sentence))}"
            )
        except (StorageError, TrainingError, OSError) as error:
            log.warning("forgetting.failed", reason=str(error))
            await edit_or_write(interaction, say("forgetting.later", reason=escape(translated(error))))

    async def _send(self, context: Context, text: str, *, name: str, content: bytes) -> None:
        """Send a file privately: by direct message, or as an ephemeral reply if that fails."""
        if len(content) > FILE_LIMIT_BYTES:
            raise TooLargeError
        try:
            await context.author.send(text, file=discord.File(io.BytesIO(content), name))
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            is_closed = isinstance(error, discord.Forbidden) or (
                isinstance(error, discord.HTTPException) and error.code in CLOSED
            )
            log.warning("person.not_told", is_closed=is_closed, reason=str(error) or type(error).__name__)
            if context.interaction is not None:
                await send_reply(context, text, file=discord.File(io.BytesIO(content), name), ephemeral=True)
            else:
                await send_reply(
                    context, say("privacy.closed") if is_closed else say("privacy.not_delivered")
                )
            return
        if context.guild is not None or context.interaction is not None:
            await send_reply(context, say("privacy.sent"), ephemeral=True)


def _counts(erased: Erased) -> list[str]:
    """Return one line for each kind of data that exists."""
    lines = [
        (erased.votes, say("forgetting.votes", n=erased.votes)),
        (erased.queries, say("forgetting.queries", n=erased.queries)),
        (erased.others_votes, say("forgetting.others_votes", n=erased.others_votes)),
        (erased.unnamed, say("forgetting.unnamed", n=erased.unnamed)),
    ]
    return [line for count, line in lines if count]


def _summary(done: ForgetResult) -> str:
    """Summarise what was deleted."""
    lines = [say("forgetting.done"), *_counts(done.erased)]
    if done.backups:
        lines.append(say("forgetting.backups", n=done.backups))
    if done.runs:
        lines.append(say("forgetting.runs", n=done.runs))
    if done.versions:
        lines.append(say("forgetting.withdrawn", n=len(done.versions), names=", ".join(done.versions)))
    return "\n".join(lines)
