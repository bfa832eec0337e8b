"""Declares message commands: what people find under Apps when they right-click a message."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.commands.context import Context
from bot.errors import NotListedError
from bot.texts import DEFAULT, text_in

Handler = Callable[[Context, discord.Message], Awaitable[None]]


def message_command(
    name: str, handler: Handler, *, cooldown: tuple[int, float], is_ephemeral: bool = False
) -> app_commands.ContextMenu:
    """Build a message command, whose errors are answered as those of other commands.

    The text `message_commands.NAME` is what people see, in the language of each reader.

    Args:
        name: The command's name in the texts.
        handler: Gets the command's context and the message that was chosen.
        cooldown: How often a person may use it, and in how many seconds.
        is_ephemeral: Whether only the asker sees its replies.
    """
    limit = commands.CooldownMapping[Context].from_cooldown(*cooldown, commands.BucketType.user)

    async def call(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        bot = interaction.client
        context: Context = await bot.get_context(interaction)
        try:
            await _check(limit, context)
            context.start_typing(is_ephemeral=is_ephemeral)
            try:
                await handler(context, message)
            finally:
                await context.stop_typing()
        except commands.CommandError as error:
            await bot.on_command_error(context, error)
        except Exception as error:  # noqa: BLE001  as discord.py does for other commands
            await bot.on_command_error(context, commands.CommandInvokeError(error))

    shown = app_commands.locale_str(text_in(DEFAULT, f"message_commands.{name}"), named=name)
    return app_commands.ContextMenu(name=shown, callback=call)


async def _check(limit: "commands.CooldownMapping[Context]", context: Context) -> None:
    """Check that a person may use the command here, and not too often."""
    bucket = limit.get_bucket(context)
    retry_after = None if bucket is None else bucket.update_rate_limit()
    if bucket is not None and retry_after is not None:
        raise commands.CommandOnCooldown(bucket, retry_after, commands.BucketType.user)
    if not await context.bot.may_ask(context):
        raise NotListedError
