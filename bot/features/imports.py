"""`!import`: judgements from an attached file, previewed, stored by a button, and undone in one step."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import discord
import structlog
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import MAX_CONTENT, clipped, escape
from bot.errors import DISCORD_ERRORS, ImportFileError
from bot.imports.judgements import (
    MAX_BYTES,
    Preview,
    preview_lines,
    read_file,
    source_name,
    source_weight,
)
from bot.privacy.confirmation import ConfirmationView
from bot.privacy.delivery import edit_or_write
from bot.texts import say, translated
from bot.wiring import Parts
from storage.errors import StorageError
from storage.votes.sources import import_sentences, list_sources, undo_import

log = structlog.stdlib.get_logger(__name__)
UNDO = "undo"


class Imports(commands.Cog):
    """The command `!import`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._background, self._settings = parts.operations.background, parts.settings
        self._predictor = parts.inference.predictor

    @command(
        "import",
        group="learn",
        is_for_admins=True,
        is_ephemeral=True,
        lookalikes=("important", "imports"),
        usage="NAME [WEIGHT|undo]",
    )
    async def import_file(self, context: Context, name: str = "", weight: str = "1") -> None:
        """Preview the judgements of an attached file, or undo an import (admins)."""
        if weight.lower() == UNDO:
            name = source_name(name)
            words = await undo_import(self._database, name)
            log.info("import.undone", words=words)
            await send_reply(context, say("import.undone", name=escape(name), n=words), ephemeral=True)
            return
        attachments = context.message.attachments
        if not name.strip() or len(attachments) != 1:
            await send_reply(context, await self._how(), ephemeral=True)
            return
        name, factor = source_name(name), source_weight(weight)
        preview = await self._read(attachments[0])
        store = partial(self._begin, name, factor, preview)
        offer = ConfirmationView(context.author.id, on_yes=store, prefix=self._typed, texts="imports")
        lines = preview_lines(escape(name), factor, preview, escape=escape)
        text = clipped("\n".join(lines), MAX_CONTENT)
        offer.message = await send_reply(context, text, view=offer, ephemeral=True)

    @property
    def _typed(self) -> str:
        """What a typed command begins with: a slash command takes no file."""
        prefix, me = self._bot.prefix, self._bot.user
        return f"@{me.name} " if prefix == "/" and me is not None else prefix

    async def _how(self) -> str:
        """Say how to import, and what can be undone."""
        sources = [escape(source.name) for source in await list_sources(self._database)]
        lines = [say("import.how", typed=self._typed)]
        if sources:
            lines.append(say("import.undoable", names=", ".join(sources), prefix=self._bot.prefix))
        return clipped("\n".join(lines), MAX_CONTENT)

    async def _read(self, attachment: discord.Attachment) -> Preview:
        if attachment.size > MAX_BYTES:
            raise ImportFileError(say("import.too_large", most=f"{MAX_BYTES / 1e6:g}"))
        try:
            data = await attachment.read()
        except DISCORD_ERRORS as error:
            log.warning("import.not_loaded", reason=str(error) or type(error).__name__)
            raise ImportFileError(say("import.not_loaded")) from error
        return await asyncio.to_thread(
            read_file,
            attachment.filename,
            data,
            max_chars=self._settings.max_query_chars,
            max_masks=self._settings.max_masks,
            denied=self._predictor.denied,
            spell=self._predictor.spelling,
        )

    async def _begin(self, name: str, weight: float, preview: Preview, pressed: discord.Interaction) -> None:
        """Acknowledge the button, and store in the background, since it may take longer than 3 s."""
        try:
            await pressed.response.edit_message(content=say("import.working"), view=None)
        finally:
            self._background.start(self._store(name, weight, preview, pressed), name="import")

    async def _store(self, name: str, weight: float, preview: Preview, pressed: discord.Interaction) -> None:
        now = datetime.now(UTC)
        try:
            await import_sentences(self._database, name, preview.sentences, weight=weight, now=now)
        except StorageError as error:
            log.warning("import.failed", reason=str(error))
            await edit_or_write(pressed, escape(translated(error)))
            return
        log.info("import.stored", sentences=len(preview.sentences), words=preview.wanted + preview.unwanted)
        undo = f'`{self._bot.prefix}import "{name}" {UNDO}`'
        counts = {"wanted": preview.wanted, "unwanted": preview.unwanted}
        await edit_or_write(pressed, say("import.stored", name=escape(name), undo=undo, **counts))


def add(parts: Parts) -> None:
    """Add `!import`."""
    parts.discord.bot.add_cogs(Imports(parts))
