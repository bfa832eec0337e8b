"""What people are told about an error of a command, and of which errors there is nothing to tell."""

import math
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.embeds.replies import escape
from bot.errors import BotError
from bot.texts import say
from storage.errors import StorageError
from training.errors import TrainingError, UnknownVersionError

log = structlog.stdlib.get_logger(__name__)
TOLD = (BotError, StorageError, TrainingError)  # errors whose text is the reply
PAST_ANSWERING = (10015, 10062, 40060)  # Discord gave up after three seconds; it has an answer already


def is_past_answering(error: BaseException) -> bool:
    """Whether Discord takes no answer: it is not well, or the interaction is over or came twice."""
    if isinstance(error, discord.DiscordServerError):
        log.warning("discord.not_well", status=error.status)
        return True
    if isinstance(error, discord.HTTPException) and error.code in PAST_ANSWERING:
        log.warning("interaction.not_answered", code=error.code)
        return True
    return False


def cause_of(error: BaseException) -> BaseException:
    """What really went wrong, inside discord.py's wrappers."""
    while (original := getattr(error, "original", None)) is not None:
        error = original
    return error


def sentence_of(error: BaseException, *, prefix: str, command: Any) -> str | None:
    """The reply to an error that a person can do something about; None for any other."""
    if isinstance(error, UnknownVersionError):
        return escape(str(error))  # it repeats what was typed
    if isinstance(error, TOLD):
        return str(error)
    if isinstance(error, commands.CommandOnCooldown | app_commands.CommandOnCooldown):
        return say("errors.cooldown", seconds=math.ceil(error.retry_after))
    if isinstance(error, commands.MissingRequiredArgument):
        return say("errors.missing_argument", usage=f"{prefix}{example(command)}")
    if isinstance(error, commands.UserInputError | app_commands.TransformerError):
        return say("errors.not_understood", usage=f"{prefix}{example(command)}")
    return None


def usage(of: commands.Command[Any, Any, Any]) -> str:
    """How a command is written, without the prefix."""
    return f"{of.qualified_name} {of.signature}".strip()


def example(command: Any) -> str:
    """What to type instead."""
    if command is None:
        return "help"
    return f"fill {say('example')}" if command.name == "fill" else usage(command)
