"""The bot: explicit intents, no mentions, the cogs, and the two places where errors end."""

import difflib
import math
import secrets
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.access import Access
from bot.errors import BotError
from bot.replies import MAX_CONTENT, clipped, escape
from bot.texts import say
from storage.errors import StorageError
from training.errors import TrainingError, UnknownVersionError

log = structlog.stdlib.get_logger(__name__)
Context = commands.Context["FillBot"]
P = ParamSpec("P")
TOLD = (BotError, StorageError, TrainingError)  # errors whose text is the reply
READY_AFTER_S = 0.5  # without news of another server

# Nothing is spoken here: no word about missing voice libraries.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


class FillBot(commands.Bot):
    """A discord.py bot with the allow-list in front of every command."""

    def __init__(self, *, prefix: str, guild_ids: tuple[int, ...], admin_role_ids: tuple[int, ...]) -> None:
        """Build it; `add_cogs` and `start` come after."""
        super().__init__(
            command_prefix=prefix,
            intents=discord.Intents(
                guilds=True,
                messages=True,
                message_content=True,  # privileged: prefix commands need it
                reactions=True,
            ),
            allowed_mentions=discord.AllowedMentions.none(),
            help_command=None,
            max_messages=None,  # nothing here depends on the cache
            case_insensitive=True,
            strip_after_prefix=True,
            guild_ready_timeout=READY_AFTER_S,
        )
        self.access = Access(self, guild_ids=guild_ids, admin_role_ids=admin_role_ids)
        self.prefix = prefix
        self._pending_cogs: list[commands.Cog] = []
        self.check(self._may_ask)
        self.tree.error(self._on_tree_error)

    def add_cogs(self, *cogs: commands.Cog) -> None:
        """Name the cogs to load in `setup_hook`."""
        self._pending_cogs.extend(cogs)

    async def setup_hook(self) -> None:
        """Load the cogs once, and tell Discord the slash commands."""
        for cog in self._pending_cogs:
            await self.add_cog(cog)
        try:
            await self.tree.sync()
        except discord.HTTPException:
            log.warning("commands.not_synced", exc_info=True)

    async def on_ready(self) -> None:
        """Say so; it can fire again after a reconnect."""
        log.info("discord.ready", guilds=len(self.guilds))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """An event handler raised: log the traceback and go on serving."""
        log.error("event.failed", handler=event_method, exc_info=sys.exception())

    async def on_command_error(self, context: Context, error: commands.CommandError, /) -> None:  # type: ignore[override]
        """Answer every error of a command, in this order.

        1. An error whose text is meant for people: that text.
        2. A slip in the usage: what to type instead.
        3. The person may not, or must wait: a sentence, or silence where the bot does not work.
        4. Anything else: a reference that is also in the log.
        """
        cause = _cause(error)
        if isinstance(cause, commands.CommandNotFound):
            await self._suggest(context)
            return
        if isinstance(cause, commands.CheckFailure):
            log.debug("command.refused", command=str(context.command))
            return
        sentence = _sentence(cause, prefix=self.prefix, command=context.command)
        if sentence is None:
            reference = secrets.token_hex(3).upper()
            log.error("command.failed", reference=reference, command=str(context.command), exc_info=cause)
            sentence = say("errors.unexpected", reference=reference)
        try:
            await answer(context, sentence, ephemeral=True)
        except discord.HTTPException:
            log.warning("reply.not_sent", command=str(context.command), exc_info=True)

    async def _on_tree_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError
    ) -> None:
        """Answer what is wrong with an interaction before any command of ours is called."""
        log.error("interaction.failed", exc_info=error)
        if not interaction.response.is_done():
            await interaction.response.send_message(say("errors.stale_command"), ephemeral=True)

    async def _may_ask(self, context: Context) -> bool:
        return await self.access.may_ask(context.author, context.guild.id if context.guild else None)

    async def _suggest(self, context: Context) -> None:
        """Help with a mistyped command where the bot works; stay silent elsewhere."""
        names = [command.qualified_name for command in self.commands]
        close = difflib.get_close_matches((context.invoked_with or "").lower(), names, n=1, cutoff=0.6)
        if close and await self._may_ask(context):
            await answer(context, say("errors.did_you_mean", usage=f"{self.prefix}{close[0]}"))


def command(
    name: str, **options: Any
) -> Callable[
    [Callable[Concatenate[Any, Context, P], Coroutine[Any, Any, None]]], commands.HybridCommand[Any, P, None]
]:
    """Prefix and slash command in one, described in the texts under `commands.…`."""
    return commands.hybrid_command(name=name, description=say(f"commands.{name}"), **options)


async def answer(
    context: Context,
    content: str | None = None,
    *,
    embed: discord.Embed | None = None,
    file: discord.File | None = None,
    ephemeral: bool = False,
) -> discord.Message:
    """Reply to a command, also when the message that called it is gone by now. Returns the reply.

    Args:
        context: of the command.
        content: clipped where it is longer than Discord takes.
        embed: shown below the content.
        file: sent along, such as the picture that the embed shows.
        ephemeral: only for who asked, where Discord can do that: after a slash command.
    """
    return await context.send(
        None if content is None else clipped(content, MAX_CONTENT),
        embeds=[] if embed is None else [embed],
        files=[] if file is None else [file],
        reference=context.message.to_reference(fail_if_not_exists=False),
        ephemeral=ephemeral,
    )


def _cause(error: BaseException) -> BaseException:
    """What really went wrong, inside discord.py's wrappers."""
    while (original := getattr(error, "original", None)) is not None:
        error = original
    return error


def _sentence(error: BaseException, *, prefix: str, command: Any) -> str | None:
    """The reply to an error that a person can do something about; None for any other."""
    if isinstance(error, UnknownVersionError):
        return escape(str(error))  # it repeats what was typed
    if isinstance(error, TOLD):
        return str(error)
    if isinstance(error, commands.CommandOnCooldown | app_commands.CommandOnCooldown):
        return say("errors.cooldown", seconds=math.ceil(error.retry_after))
    if isinstance(error, commands.MissingRequiredArgument):
        return say("errors.missing_argument", usage=f"{prefix}{_usage(command)}")
    if isinstance(error, commands.UserInputError | app_commands.TransformerError):
        return say("errors.not_understood", usage=f"{prefix}{_usage(command)}")
    return None


def _usage(command: Any) -> str:
    if command is None:
        return "help"
    if command.name == "fill":
        return f"fill {say('example')}"
    return f"{command.qualified_name} {command.signature}".strip()
