"""What people are told about an error of a command, and of which errors there is nothing to tell."""

import math
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.embeds.replies import escape
from bot.errors import BotError, LostReplyError, NotSentError
from bot.permissions import is_refusal
from bot.texts import say
from storage.errors import StorageError
from training.errors import TrainingError, UnknownVersionError

log = structlog.stdlib.get_logger(__name__)
TOLD = (BotError, StorageError, TrainingError)  # errors whose text is the reply
# Discord gave up after three seconds, or after fifteen minutes; it has an answer already
PAST_ANSWERING = (10015, 10062, 40060, 50027)


def log_if_unanswerable(error: BaseException) -> bool:
    """Whether Discord takes no answer, which is logged in one line.

    It is not well, the interaction is over or came twice, or the bot may not write there.
    """
    if isinstance(error, discord.DiscordServerError):
        log.warning("discord.not_well", status=error.status)
    elif isinstance(error, discord.HTTPException) and error.code in PAST_ANSWERING:
        log.warning("interaction.not_answered", code=error.code)
    elif is_refusal(error) or isinstance(error, NotSentError | aiohttp.ClientError):
        log_not_sent(error)
    else:
        return False
    return True


def log_not_sent(error: BaseException) -> None:
    """Log that people were not told, and why: no traceback, since nothing is wrong with the code."""
    if isinstance(error, discord.HTTPException):
        log.warning("reply.not_sent", status=error.status, code=error.code, reason=error.text)
    else:
        log.warning("reply.not_sent", reason=str(error) or type(error).__name__)


def may_have_arrived(error: BaseException) -> bool:
    """Whether Discord may have a reply without having said so."""
    return isinstance(error, LostReplyError | discord.DiscordServerError | aiohttp.ClientError)


def cause_of(error: BaseException) -> BaseException:
    """What really went wrong, inside discord.py's wrappers."""
    while (original := getattr(error, "original", None)) is not None:
        error = original
    return error


def reply_to(error: BaseException, *, prefix: str, command: Any) -> str | None:
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
