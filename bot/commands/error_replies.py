"""Turns errors of commands into replies, and logs those that cannot be replied to."""

import math
import re
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.embeds.replies import escape
from bot.errors import BotError, LostReplyError, NotSentError
from bot.permissions import is_refusal
from bot.texts import say, translated
from storage.errors import StorageError
from training.corpus.language import examples
from training.errors import TrainingError, UnknownVersionError

OPTION = re.compile(r"<\w+>|\[\w+\]")  # as discord.py writes required and optional ones
log = structlog.stdlib.get_logger(__name__)
SHOWN_ERRORS = (BotError, StorageError, TrainingError)  # their text is the reply
# Unknown message, expired interaction (3 s, then 15 minutes), already acknowledged, invalid webhook token
UNANSWERABLE_CODES = (10015, 10062, 40060, 50027)


def log_if_unanswerable(error: BaseException) -> bool:
    """Log an error to which no reply can be sent. Returns whether it is one.

    Discord is failing, the interaction expired or was answered before, or the bot may not write there.
    """
    if isinstance(error, discord.DiscordServerError):
        log.warning("discord.server_error", status=error.status)
    elif isinstance(error, discord.HTTPException) and error.code in UNANSWERABLE_CODES:
        log.warning("interaction.not_answered", code=error.code)
    elif is_refusal(error) or isinstance(error, NotSentError | aiohttp.ClientError):
        log_not_sent(error)
    else:
        return False
    return True


def log_not_sent(error: BaseException) -> None:
    """Log that a reply was not sent; without a traceback, since the code is not at fault."""
    if isinstance(error, discord.HTTPException):
        log.warning("reply.not_sent", status=error.status, code=error.code, reason=error.text)
    else:
        log.warning("reply.not_sent", reason=str(error) or type(error).__name__)


def may_have_arrived(error: BaseException) -> bool:
    """Whether Discord may have received a reply without confirming it."""
    return isinstance(error, LostReplyError | discord.DiscordServerError | aiohttp.ClientError)


def cause_of(error: BaseException) -> BaseException:
    """Unwrap the exceptions that discord.py wraps around the cause."""
    while (original := getattr(error, "original", None)) is not None:
        error = original
    return error


def reply_to(error: BaseException, *, prefix: str, command: Any) -> str | None:
    """Return the reply to an error that people can act on; None for any other."""
    if isinstance(error, UnknownVersionError):
        return escape(translated(error))  # it quotes what was typed
    if isinstance(error, SHOWN_ERRORS):
        return translated(error)
    if isinstance(error, commands.CommandOnCooldown | app_commands.CommandOnCooldown):
        return say("errors.cooldown", seconds=math.ceil(error.retry_after))
    if isinstance(error, commands.MissingRequiredArgument):
        return say("errors.missing_argument", usage=f"{prefix}{example(command)}")
    if isinstance(error, commands.UserInputError | app_commands.TransformerError):
        return say("errors.not_understood", usage=f"{prefix}{example(command)}")
    return None


def usage(of: commands.Command[Any, Any, Any]) -> str:
    """Return how a command is written, without the prefix: `NAME` is for a value, brackets mean optional."""
    options = (
        of.usage if of.usage is not None else OPTION.sub(lambda m: m[0].strip("<>").upper(), of.signature)
    )
    return f"{of.qualified_name} {options}".strip()


def example(command: Any) -> str:
    """Return an example of the command's right usage."""
    if command is None:
        return "help"
    return f"fill {examples().example}" if command.name == "fill" else usage(command)
