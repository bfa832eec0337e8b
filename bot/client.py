"""The bot: explicit intents, no mentions, the cogs, and the two places where errors end."""

import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.access import Access
from bot.answering.edited_questions import EditedQuestions
from bot.answering.load_shedding import LoadShedding
from bot.background import Background
from bot.connection.duplicates import DeduplicatingTree, SeenIds
from bot.connection.rate_limiter import RateLimiter
from bot.connection.session import UNREACHABLE, IdentifyLimiter
from bot.connection.tolerant_parsers import skip_malformed_events
from bot.context import Context, send_reply
from bot.distributed.shards import WHOLE, Shards
from bot.error_replies import cause_of, log_if_unanswerable, log_not_sent, may_have_arrived, reply_to
from bot.errors import NotListedError, NotSentError
from bot.suggestions import suggest_command
from bot.texts import say

log = structlog.stdlib.get_logger(__name__)
P = ParamSpec("P")
READY_AFTER_S = 0.5  # without news of another server
TOLD_ELSEWHERE_EVERY_S = 600.0
NETWORK = (aiohttp.ClientError, OSError)
ASKS, ASKS_WITHIN_S = 20, 20.0  # of one person, of most commands


class FillBot(commands.Bot):
    """A discord.py bot with the allow-list in front of every command."""

    def __init__(
        self,
        *,
        prefix: str,
        guild_ids: tuple[int, ...],
        admin_role_ids: tuple[int, ...],
        syncs_commands: bool = True,
        shards: Shards = WHOLE,
        shedding: LoadShedding | None = None,
        **sharding: Any,
    ) -> None:
        """Build it; `add_cogs` and `start` come after. Who leads other processes syncs for them."""
        self.shedding = shedding or LoadShedding(Background(), RateLimiter())
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
            tree_cls=DeduplicatingTree,
            help_command=None,
            max_messages=None,  # nothing here depends on the cache
            case_insensitive=True,
            strip_after_prefix=True,
            guild_ready_timeout=READY_AFTER_S,
            http_trace=self.shedding.rate_limiter.trace(),
            **sharding,
        )
        skip_malformed_events(self)
        self.shedding.rate_limiter.attach(self.http)
        self.shards_here = shards
        self.access = Access(self, guild_ids=guild_ids, admin_role_ids=admin_role_ids, is_here=shards.has)
        self.prefix, self._syncs_commands = prefix, syncs_commands
        self._has_admin_roles = bool(admin_role_ids)
        self._pending_cogs: list[commands.Cog] = []
        self._told_elsewhere: dict[int, float] = {}  # channel → when it was told that the bot works elsewhere
        self._seen_messages = SeenIds()  # messages
        self._identify_limiter = IdentifyLimiter()
        self.questions = EditedQuestions()
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
        if (
            not self._has_admin_roles
        ):  # else Discord would hide them from admins who may not manage the server
            for one in self.commands:
                if one.extras.get("admin") and isinstance(one, commands.HybridCommand) and one.app_command:
                    one.app_command.default_permissions = discord.Permissions(manage_guild=True)
        if self._syncs_commands:
            await self.sync_commands()

    async def sync_commands(self) -> None:
        """Tell Discord the slash commands, all at once."""
        try:
            await self.tree.sync()
        except UNREACHABLE:
            log.warning("commands.not_synced", exc_info=True)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait as Discord's rules for new sessions want it."""
        await asyncio.sleep(self._identify_limiter.wait_s(time.monotonic()))

    async def on_message(self, message: discord.Message, /) -> None:
        """Hear people: no bots, and no webhooks, which need not say that they are one.

        A message that is told of twice is one.
        """
        if message.webhook_id is None and self._seen_messages.is_new(message.id):
            async with self.questions.lock(message.id):
                await self.process_commands(message)

    async def invoke(self, context: Context, /) -> None:  # type: ignore[override]
        """Run a typed command, or refuse it where its reply would come too late."""
        channel, shedding = context.channel, self.shedding
        if shedding.has_room(channel.id):
            with shedding.expect_reply(channel.id):
                await super().invoke(context)
        elif context.command is not None:
            shedding.refuse(channel, channel.id, is_query=context.command.name == "fill")

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

        1. A slip in the name of a command: what was meant, if that is nearly certain.
        2. A server that the bot does not work in: it says so, once in a while.
        3. Discord takes no answer, or may have it already: nothing but a line in the log.
        4. Anything else: see `_told`.
        """
        cause = cause_of(error)
        if isinstance(cause, commands.CommandNotFound):
            await self._suggest(context)
            return
        if isinstance(cause, NotListedError) and not self._may_tell_elsewhere(context):
            return
        if self._log_if_unanswerable(cause):
            return
        await self._say(context, self._told(cause, context.command))

    async def _say(self, context: Context, sentence: str) -> None:
        """Reply with a sentence; that it cannot be sent is one line in the log."""
        try:
            await send_reply(context, sentence, ephemeral=True)
        except (discord.HTTPException, NotSentError, *NETWORK) as error:
            log_not_sent(error)

    @contextlib.asynccontextmanager
    async def replying_to_errors(self, interaction: discord.Interaction) -> AsyncIterator[None]:
        """Answer every error inside the block, as those of commands are; for menus, buttons and forms."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  the second half of the command error handler
            cause = cause_of(error)
            if self._log_if_unanswerable(cause):
                return
            await _tell(interaction, self._told(cause, None))

    def _log_if_unanswerable(self, error: BaseException) -> bool:
        if may_have_arrived(error):  # the reply may stand, and wait to be noted
            self.dispatch("reply_lost")
        return log_if_unanswerable(error)

    def _told(self, error: BaseException, command: Any) -> str:
        """What people are told about an error.

        1. An error whose text is meant for people: that text.
        2. A slip in the usage: what to type instead; or to wait.
        3. Anything else: a reference that is also in the log.
        """
        sentence = reply_to(error, prefix=self.prefix, command=command)
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
        if self._log_if_unanswerable(cause_of(error)):
            return
        log.error("interaction.failed", exc_info=error)
        if not interaction.response.is_done():
            await _tell(interaction, say("errors.stale_command"))

    async def _may_ask(self, context: Context) -> bool:
        return await self.access.may_ask(context.author, context.guild.id if context.guild else None)

    async def _may_command(self, context: Context) -> bool:
        command: Any = context.command
        try:
            if not await self._may_ask(context):
                raise NotListedError
            if command.extras.get("admin"):
                await self.access.require_admin(context.author, context.guild.id if context.guild else None)
        except UNREACHABLE as error:  # as discord.py wraps what a command raises: a check's is not handled
            raise commands.CommandInvokeError(error) from error
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
        name = suggest_command(context.invoked_with or "", context.message.content, names=names)
        if name is not None and await self._may_ask(context):
            await self._say(context, say("errors.did_you_mean", usage=f"{self.prefix}{name}"))


async def _tell(interaction: discord.Interaction, sentence: str) -> None:
    """Say a sentence to the person alone; that it cannot be sent is one line in the log."""
    try:
        if interaction.response.is_done():
            await interaction.followup.send(sentence, ephemeral=True)
        else:
            await interaction.response.send_message(sentence, ephemeral=True)
    except (discord.HTTPException, *NETWORK) as error:
        log_not_sent(error)


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
