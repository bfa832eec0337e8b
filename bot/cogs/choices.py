"""Autocomplete for options of slash commands."""

import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import discord
import structlog
from discord.app_commands import Choice

from bot.connection.session import UNREACHABLE
from bot.connection.tolerant_parsers import UnreadableError
from bot.error_replies import log_if_unanswerable
from storage.errors import StorageError
from training.errors import TrainingError

log = structlog.stdlib.get_logger(__name__)
MAX_CHOICES = 25  # Discord's maximum
FAILED = (*UNREACHABLE, UnreadableError, StorageError, TrainingError)

Names = Callable[[Any, discord.Interaction, str], Awaitable[Iterable[str]]]


def offering(
    names: Names,
) -> Callable[[Any, discord.Interaction, str], Coroutine[Any, Any, list[Choice[str]]]]:
    """Turn a method that looks names up into the callback of an option's autocomplete.

    Offers the first 25 names. A look-up that fails offers none, and a person who has typed on meanwhile needs
    none: either is one line in the log, where discord.py would log a traceback and leave Discord waiting.
    """

    @functools.wraps(names)
    async def offer(cog: Any, interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        try:
            found = [*await names(cog, interaction, typed)][:MAX_CHOICES]
        except FAILED as error:
            log.warning("choices.not_found", reason=str(error) or type(error).__name__)
            found = []
        choices = [Choice(name=name, value=name) for name in found]
        try:
            await interaction.response.autocomplete(choices)
        except (discord.HTTPException, *UNREACHABLE) as error:
            if not log_if_unanswerable(error):
                raise
        return choices  # discord.py sends them where no answer was sent

    return offer
