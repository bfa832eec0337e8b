"""The bot: explicit intents, no mentions, the cogs, and the two places where errors end."""

import difflib
import secrets
from typing import Any

import discord
import discord.gateway
import discord.http
import structlog
import yarl
from discord import app_commands
from discord.ext import commands

from bot.access import Access
from bot.errors import EXAMPLE, BotError
from storage.errors import StorageError
from training.errors import TrainingError

log = structlog.stdlib.get_logger(__name__)
Context = commands.Context["FillBot"]
TOLD = (BotError, StorageError, TrainingError)  # errors whose text is the reply


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
        log.exception("event.failed", handler=event_method)

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
        text = _sentence(cause, prefix=self.prefix, command=context.command)
        if text is None:
            reference = secrets.token_hex(3).upper()
            log.error("command.failed", reference=reference, command=str(context.command), exc_info=cause)
            text = f"Something went wrong on my side (reference {reference}). Nothing was lost; please try again."
        try:
            await context.reply(text, mention_author=False, ephemeral=True)
        except discord.HTTPException:
            log.warning("reply.not_sent", command=str(context.command), exc_info=True)

    async def _on_tree_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError
    ) -> None:  # hybrid commands never come here; bare component and tree errors do
        log.error("interaction.failed", exc_info=error)

    async def _may_ask(self, context: Context) -> bool:
        return await self.access.may_ask(context.author, context.guild.id if context.guild else None)

    async def _suggest(self, context: Context) -> None:
        """Help with a mistyped command where the bot works; stay silent elsewhere."""
        names = [command.qualified_name for command in self.commands]
        close = difflib.get_close_matches((context.invoked_with or "").lower(), names, n=1, cutoff=0.6)
        if close and await self._may_ask(context):
            await context.reply(f"Did you mean `{self.prefix}{close[0]}`?", mention_author=False)


def point_discord_at(api_url: str | None, gateway_url: str | None) -> None:
    """Let discord.py talk to another server; process-global, so once and before `start`."""
    if api_url is not None:
        discord.http.Route.BASE = api_url
    if gateway_url is not None:
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


def _cause(error: BaseException) -> BaseException:
    """What really went wrong, inside discord.py's wrappers."""
    while (original := getattr(error, "original", None)) is not None:
        error = original
    return error


def _sentence(error: BaseException, *, prefix: str, command: Any) -> str | None:
    """The reply to an error that a person can do something about; None for any other."""
    if isinstance(error, TOLD):
        return str(error)
    if isinstance(error, commands.CommandOnCooldown | app_commands.CommandOnCooldown):
        return f"One moment, please: try again in {error.retry_after:.0f} s."
    if isinstance(error, commands.MissingRequiredArgument):
        return f"Something is missing. Try `{prefix}{_usage(command)}`."
    if isinstance(error, commands.UserInputError | app_commands.TransformerError):
        return f"I did not understand that. Try `{prefix}{_usage(command)}`."
    return None


def _usage(command: Any) -> str:
    if command is None:
        return "help"
    if command.name == "fill":
        return f"fill {EXAMPLE}"
    return f"{command.qualified_name} {command.signature}".strip()
