"""`!mydata`, `!forgetme`, `!optout`, `!optin`: a person's rights over their data."""

from datetime import UTC, datetime

import discord
import structlog
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import escape
from bot.privacy.confirmation import ConfirmationView
from bot.privacy.delivery import FILE_LIMIT_BYTES, edit_or_write, send_privately
from bot.privacy.forgetting import ForgetResult
from bot.privacy.mydata import export_personal_data
from bot.texts import say, translated
from bot.wiring import Parts
from storage.errors import StorageError
from storage.people import forgetting as forgetting_records
from storage.people import privacy
from storage.people.forgetting import Erased
from training.errors import TrainingError

log = structlog.stdlib.get_logger(__name__)
OFFERS, OFFERS_WITHIN_S = 3, 3600.0  # per person: each may stop a run, and rewrites the database


class Privacy(commands.Cog):
    """Commands about stored data."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._forgetting, self._background = parts.scheduled.forgetting, parts.operations.background

    @command("mydata", group="privacy", is_ephemeral=True, lookalikes=("mydate",))
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
        await send_privately(context, "\n".join(lines), name=made.name, content=made.content)

    @command("optout", group="privacy", is_ephemeral=True, lookalikes=())
    async def optout(self, context: Context) -> None:
        """Stop counting the asker's votes."""
        changed = await privacy.opt_out(self._database, context.author.id, now=datetime.now(UTC))
        votes = (await privacy.summarize(self._database, context.author.id)).votes
        if changed:
            text = say("privacy.opted_out", n=votes, prefix=self._bot.prefix)
        else:
            text = say("privacy.is_out", prefix=self._bot.prefix)
        await send_reply(context, text, ephemeral=True)

    @command("optin", group="privacy", is_ephemeral=True, lookalikes=("optic", "option"))
    async def optin(self, context: Context) -> None:
        """Count the asker's votes again."""
        changed = await privacy.opt_in(self._database, context.author.id)
        votes = (await privacy.summarize(self._database, context.author.id)).votes
        prefix = self._bot.prefix
        text = say("privacy.opted_in", n=votes) if changed else say("privacy.is_in", prefix=prefix)
        await send_reply(context, text, ephemeral=True)

    @command(
        "forgetme",
        group="privacy",
        is_ephemeral=True,
        lookalikes=("forgetmenot",),
        cooldown=(OFFERS, OFFERS_WITHIN_S),
    )
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


def _counts(erased: Erased) -> list[str]:
    """Return one line for each kind of data that exists."""
    lines = [
        (erased.votes, say("forgetting.votes", n=erased.votes)),
        (erased.queries, say("forgetting.queries", n=erased.queries)),
        (erased.others_votes, say("forgetting.others_votes", n=erased.others_votes)),
        (erased.unnamed, say("forgetting.unnamed", n=erased.unnamed)),
        (erased.decisions, say("forgetting.decisions", n=erased.decisions)),
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
