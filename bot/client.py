"""The bot: explicit intents, no mentions, the cogs, and the two places where errors end."""

import asyncio
import contextlib
import difflib
import math
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.access import Access
from bot.connection import Identifies
from bot.context import Context, answer
from bot.embeds.replies import escape
from bot.errors import BotError, NotListedError
from bot.parsers import skip_malformed_events
from bot.texts import say
from storage.errors import StorageError
from training.errors import TrainingError, UnknownVersionError

log = structlog.stdlib.get_logger(__name__)
P = ParamSpec("P")
TOLD = (BotError, StorageError, TrainingError)  # errors whose text is the reply
READY_AFTER_S = 0.5  # without news of another server
PAST_ANSWERING = (10015, 10062, 40060)  # Discord gave up after three seconds; it has an answer already
TOLD_ELSEWHERE_EVERY_S = 600.0
HEARD = 1000  # messages that are remembered
ASKS, ASKS_WITHIN_S = 20, 20.0  # of one person, of most commands

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
            # Else who installs the commands for themselves could use them in any server or group.
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=False
            ),
            help_command=None,
            max_messages=None,  # nothing here depends on the cache
            case_insensitive=True,
            strip_after_prefix=True,
            guild_ready_timeout=READY_AFTER_S,
        )
        skip_malformed_events(self)
        self.access = Access(self, guild_ids=guild_ids, admin_role_ids=admin_role_ids)
        self.prefix = prefix
        self._pending_cogs: list[commands.Cog] = []
        self._told_elsewhere: dict[int, float] = {}  # channel → when it was told that the bot works elsewhere
        self._heard: dict[int, None] = {}  # messages, the oldest first
        self._identifies = Identifies()
        self.check(self._may_command)
        self.before_invoke(self._show_work)
        self.after_invoke(Context.settle)
        self.tree.error(self._on_tree_error)

    def add_cogs(self, *cogs: commands.Cog) -> None:
        """Name the cogs to load in `setup_hook`."""
        self._pending_cogs.extend(cogs)

    @property
    def is_online(self) -> bool:
        """Whether the gateway is connected and has told what it knows; `is_ready` outlasts a lost socket."""
        return self.is_ready() and not self.is_closed() and self.ws is not None and self.ws.open

    async def setup_hook(self) -> None:
        """Load the cogs once, and tell Discord the slash commands."""
        for cog in self._pending_cogs:
            await self.add_cog(cog)
        try:
            await self.tree.sync()
        except discord.HTTPException:
            log.warning("commands.not_synced", exc_info=True)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait as Discord's rules for new sessions want it."""
        await asyncio.sleep(self._identifies.wait_s(time.monotonic()))

    async def on_message(self, message: discord.Message, /) -> None:
        """Hear people: no bots, and no webhooks, which need not say that they are one.

        A message that is told of twice is one.
        """
        if message.webhook_id is None and message.id not in self._heard:
            self._heard[message.id] = None
            if len(self._heard) > HEARD:
                del self._heard[next(iter(self._heard))]
            await self.process_commands(message)

    async def on_ready(self) -> None:
        """Say so; it can fire again after a reconnect."""
        log.info("discord.ready", guilds=len(self.guilds))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """An event handler raised: log the traceback and go on serving."""
        log.error("event.failed", handler=event_method, exc_info=sys.exception())

    async def get_context(self, origin: Any, /, *, cls: Any = Context) -> Any:
        """Every command is carried out in a `Context` of ours."""
        return await super().get_context(origin, cls=cls)

    async def on_command_error(self, context: Context, error: commands.CommandError, /) -> None:  # type: ignore[override]
        """Answer every error of a command, in this order.

        1. A slip in the name of a command: what it may have meant.
        2. A server that the bot does not work in: it says so, once in a while.
        3. Discord takes no answer: nothing, for there is no way to say it.
        4. Anything else: see `_told`.
        """
        cause = _cause(error)
        if isinstance(cause, commands.CommandNotFound):
            await self._suggest(context)
            return
        if isinstance(cause, NotListedError) and not self._may_tell_elsewhere(context):
            return
        if _is_past_answering(cause):
            return
        try:
            await answer(context, self._told(cause, context.command), ephemeral=True)
        except discord.HTTPException:
            log.warning("reply.not_sent", command=str(context.command), exc_info=True)

    @contextlib.asynccontextmanager
    async def telling_errors(self, interaction: discord.Interaction) -> AsyncIterator[None]:
        """Answer every error inside the block, as those of commands are; for menus, buttons and forms."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  the second half of the command error handler
            cause = _cause(error)
            if _is_past_answering(cause):
                return
            sentence = self._told(cause, None)
            try:
                if interaction.response.is_done():
                    await interaction.followup.send(sentence, ephemeral=True)
                else:
                    await interaction.response.send_message(sentence, ephemeral=True)
            except discord.HTTPException:
                log.warning("reply.not_sent", exc_info=True)

    def _told(self, error: BaseException, command: Any) -> str:
        """What people are told about an error.

        1. An error whose text is meant for people: that text.
        2. A slip in the usage: what to type instead; or to wait.
        3. Anything else: a reference that is also in the log.
        """
        sentence = _sentence(error, prefix=self.prefix, command=command)
        if sentence is None:
            reference = secrets.token_hex(3).upper()
            log.error("command.failed", reference=reference, command=str(command), exc_info=error)
            sentence = say("errors.unexpected", reference=reference)
        return sentence

    async def _show_work(self, context: Context) -> None:
        command: Any = context.command
        context.show_work(is_ephemeral=bool(command.extras.get("ephemeral")))

    async def _on_tree_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError
    ) -> None:
        """Answer what is wrong with an interaction before any command of ours is called."""
        log.error("interaction.failed", exc_info=error)
        if not interaction.response.is_done():
            try:
                await interaction.response.send_message(say("errors.stale_command"), ephemeral=True)
            except discord.HTTPException:
                log.warning("reply.not_sent", exc_info=True)

    async def _may_ask(self, context: Context) -> bool:
        return await self.access.may_ask(context.author, context.guild.id if context.guild else None)

    async def _may_command(self, context: Context) -> bool:
        if not await self._may_ask(context):
            raise NotListedError
        command: Any = context.command
        if command.extras.get("admin"):
            await self.access.require_admin(context.author, context.guild.id if context.guild else None)
        return True

    def _may_tell_elsewhere(self, context: Context) -> bool:
        """Whether to say that the bot works elsewhere: an interaction must be answered, others seldom are."""
        if context.interaction is not None:
            return True
        now = time.monotonic()
        told = {c: at for c, at in self._told_elsewhere.items() if now - at < TOLD_ELSEWHERE_EVERY_S}
        is_first = context.channel.id not in told
        self._told_elsewhere = {context.channel.id: now, **told}
        return is_first

    async def _suggest(self, context: Context) -> None:
        """Help with a mistyped command where the bot works; stay silent elsewhere."""
        names = [command.qualified_name for command in self.commands]
        close = difflib.get_close_matches((context.invoked_with or "").lower(), names, n=1, cutoff=0.6)
        if close and await self._may_ask(context):
            await answer(context, say("errors.did_you_mean", usage=f"{self.prefix}{close[0]}"))


def _is_past_answering(error: BaseException) -> bool:
    """Whether Discord takes no answer: it is not well, or the interaction is over or came twice."""
    if isinstance(error, discord.DiscordServerError):
        log.warning("discord.not_well", status=error.status)
        return True
    if isinstance(error, discord.HTTPException) and error.code in PAST_ANSWERING:
        log.warning("interaction.not_answered", code=error.code)
        return True
    return False


def command(
    name: str,
    *,
    is_for_admins: bool = False,
    is_ephemeral: bool = False,
    cooldown: tuple[int, float] = (ASKS, ASKS_WITHIN_S),
    **options: Any,
) -> Callable[
    [Callable[Concatenate[Any, Context, P], Coroutine[Any, Any, None]]], commands.HybridCommand[Any, P, None]
]:
    """Prefix and slash command in one, described in the texts under `commands.…`.

    Args:
        name: of the command.
        is_for_admins: whether everybody else is refused.
        is_ephemeral: whether its slash replies are for the asker alone.
        cooldown: how many of them one person may give in how many seconds.
        options: of `commands.hybrid_command`.
    """
    limit = commands.CooldownMapping(commands.Cooldown(*cooldown), commands.BucketType.user)
    return commands.hybrid_command(  # type: ignore[return-value]  # it takes any context
        name=name,
        description=say(f"commands.{name}"),
        extras={"admin": is_for_admins, "ephemeral": is_ephemeral},
        cooldown=limit,
        **options,
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
        return say("errors.missing_argument", usage=f"{prefix}{_example(command)}")
    if isinstance(error, commands.UserInputError | app_commands.TransformerError):
        return say("errors.not_understood", usage=f"{prefix}{_example(command)}")
    return None


def usage(of: commands.Command[Any, Any, Any]) -> str:
    """How a command is written, without the prefix."""
    return f"{of.qualified_name} {of.signature}".strip()


def _example(command: Any) -> str:
    """What to type instead."""
    if command is None:
        return "help"
    return f"fill {say('example')}" if command.name == "fill" else usage(command)
