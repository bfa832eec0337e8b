"""Declares commands: as a prefix and as a slash command, with descriptions in each reader's language."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from typing import Any, Concatenate, Literal, ParamSpec

import discord
import structlog
from discord import Locale, app_commands
from discord.app_commands import Choice
from discord.ext import commands

from bot.commands.context import Context
from bot.commands.error_replies import log_if_unanswerable
from bot.connection.session import UNREACHABLE
from bot.connection.tolerant_parsers import UnreadableError
from bot.texts import DEFAULT, languages, text_in
from storage.errors import StorageError
from training.errors import TrainingError

log = structlog.stdlib.get_logger(__name__)
P = ParamSpec("P")
Group = Literal["fill", "models", "charts", "learn", "insight", "privacy", "help"]  # as `!help` shows them
ASKS, ASKS_WITHIN_S = 20, 20.0  # per person, for most commands
MAX_CHOICES, MAX_CHOICE = 25, 100  # Discord's maximum of choices, and of a choice's characters
FAILED = (*UNREACHABLE, UnreadableError, StorageError, TrainingError)

Names = Callable[[Any, discord.Interaction, str], Awaitable[Iterable[str]]]
Handler = Callable[Concatenate[Any, Context, P], Coroutine[Any, Any, None]]


def command(
    name: str,
    *,
    group: Group,
    is_for_admins: bool = False,
    is_ephemeral: bool = False,
    cooldown: tuple[int, float] = (ASKS, ASKS_WITHIN_S),
    lookalikes: Collection[str] | None = None,
    **options: Any,
) -> Callable[[Handler[P]], commands.HybridCommand[Any, P, None]]:
    """Declare a prefix and slash command.

    The texts `commands.NAME` and `commands.NAME_OPTION` describe it and its options.

    Args:
        name: The command's name.
        group: The heading of `!help` under which it stands.
        is_for_admins: Whether only admins may use it.
        is_ephemeral: Whether only the asker sees its slash replies.
        cooldown: How often a person may use it, and in how many seconds.
        lookalikes: Words that look like the name and mean something else. None: other bots may have a command
            of this name, so that a mistyped one is left to them.
        options: Passed to `commands.hybrid_command`.
    """
    limit = commands.CooldownMapping(commands.Cooldown(*cooldown), commands.BucketType.user)

    def declare(handler: Handler[P]) -> commands.HybridCommand[Any, P, None]:
        taken = [*inspect.signature(handler).parameters][2:]  # after `self` and the context
        app_commands.describe(**{option: _described(f"{name}_{option}") for option in taken})(handler)
        return commands.hybrid_command(
            name=name,
            description=_described(name),
            extras={
                "group": group,
                "admin": is_for_admins,
                "ephemeral": is_ephemeral,
                "lookalikes": lookalikes,
            },
            cooldown=limit,
            **options,
        )(handler)

    return declare


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


class DescriptionTranslator(app_commands.Translator):
    """Translates descriptions, and names of message commands, into the languages that Discord knows."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """Return the text in a locale; None for the default, as for names of slash commands."""
        described, named = string.extras.get("described"), string.extras.get("named")
        for language in (locale.value, locale.value.partition("-")[0]):  # texts/es serves es-ES and es-419
            if language == DEFAULT or language not in languages():
                continue
            if described is not None:
                return text_in(language, f"commands.{described}")
            if named is not None:
                return text_in(language, f"message_commands.{named}")
        return None


def _described(name: str) -> app_commands.locale_str:
    """Return the description of a command or an option, translated when the commands are synced."""
    return app_commands.locale_str(text_in(DEFAULT, f"commands.{name}"), described=name)
