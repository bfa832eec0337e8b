"""Reaches one person: a file that only they get, and an answer that may come after minutes."""

import io

import aiohttp
import discord
import structlog

from bot.commands.context import Context, send_reply
from bot.embeds.replies import MAX_CONTENT, clipped
from bot.errors import DISCORD_ERRORS, TooLargeError
from bot.texts import say

log = structlog.stdlib.get_logger(__name__)
FILE_LIMIT_BYTES = discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES  # Discord's limit in a direct message
CLOSED = (50007, 50278)  # codes: direct messages closed, no shared server


async def send_privately(context: Context, text: str, *, name: str, content: bytes) -> None:
    """Send a file to the author of a command: by direct message, or as an ephemeral reply if that fails.

    Raises:
        TooLargeError: Discord takes no file of this size.
    """
    if len(content) > FILE_LIMIT_BYTES:
        raise TooLargeError
    try:
        await context.author.send(text, file=discord.File(io.BytesIO(content), name))
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        is_closed = isinstance(error, discord.Forbidden) or (
            isinstance(error, discord.HTTPException) and error.code in CLOSED
        )
        log.warning("person.not_reached", is_closed=is_closed, reason=str(error) or type(error).__name__)
        if context.interaction is not None:
            await send_reply(context, text, file=discord.File(io.BytesIO(content), name), ephemeral=True)
        else:
            await send_reply(context, say("privacy.closed") if is_closed else say("privacy.not_delivered"))
        return
    if context.guild is not None or context.interaction is not None:
        await send_reply(context, say("privacy.sent"), ephemeral=True)


async def edit_or_write(interaction: discord.Interaction, text: str) -> None:
    """Edit the message whose button was pressed, or else send the person a direct message.

    An interaction can be edited for fifteen minutes, and a run may take longer.
    """
    text = clipped(text, MAX_CONTENT)
    try:
        await interaction.edit_original_response(content=text)
    except DISCORD_ERRORS:
        try:
            await interaction.user.send(text)
        except DISCORD_ERRORS:
            log.info("person.not_reached")
