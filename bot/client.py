"""The discord.py bot: intents, command checks, and the handlers that turn errors into replies."""

import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands
from discord.ext.commands.view import StringView

from bot.access import Access
from bot.answering.chat_text import mention_at_start
from bot.answering.edited_questions import EditedQuestions
from bot.answering.load_shedding import LoadShedding
from bot.background import Background
from bot.commands.context import Context, send_reply
from bot.commands.error_replies import cause_of, log_if_unanswerable, log_not_sent, may_have_arrived, reply_to
from bot.commands.registration import DescriptionTranslator
from bot.connection.duplicates import DeduplicatingTree, SeenIds
from bot.connection.rate_limiter import RateLimiter
from bot.connection.session import UNREACHABLE, IdentifyLimiter
from bot.connection.tolerant_parsers import skip_malformed_events
from bot.distributed.shards import WHOLE, Shards
from bot.errors import NotListedError, NotSentError
from bot.texts import say
from bot.voting.vote_weights import RoleWeights, VoteWeights

log = structlog.stdlib.get_logger(__name__)
# Returns the sentence of a message that is a query without a command; None for any other message.
Hear = Callable[[discord.Message], Awaitable[str | None]]
READY_AFTER_S = 0.1  # since the last GUILD_CREATE
NOT_LISTED_EVERY_S = 600.0
NETWORK = (aiohttp.ClientError, OSError)


class FillBot(commands.Bot):
    """A discord.py bot that checks the server allow-list before every command."""

    def __init__(
        self,
        *,
        prefix: str,
        guild_ids: tuple[int, ...],
        admin_role_ids: tuple[int, ...],
        role_weights: RoleWeights = (),
        syncs_commands: bool = True,
        shards: Shards = WHOLE,
        shedding: LoadShedding | None = None,
        **sharding: Any,
    ) -> None:
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
            # A user-installed command could be used in any server or group, past the allow-list.
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=False
            ),
            tree_cls=DeduplicatingTree,
            help_command=None,
            max_messages=None,  # all listeners use raw events
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
        self.vote_weights = VoteWeights(self.access, role_weights)
        self._typed_prefix, self._syncs_commands = prefix, syncs_commands
        self._has_admin_roles = bool(admin_role_ids)
        self._pending_cogs: list[commands.Cog] = []
        self._not_listed_said_at: dict[int, float] = {}  # channel → when it was said there
        self._seen_messages = SeenIds()
        self._identify_limiter = IdentifyLimiter()
        self.questions = EditedQuestions()
        self.hear: Hear | None = None
        self.check(self._may_command)
        self.before_invoke(self._start_typing)
        self.after_invoke(Context.stop_typing)
        self.tree.error(self._on_tree_error)

    @property
    def prefix(self) -> str:
        """What commands begin with, in texts: slash commands work where typed ones cannot be read."""
        return self._typed_prefix if self.intents.message_content else "/"

    def add_cogs(self, *cogs: commands.Cog) -> None:
        """Register the cogs that `setup_hook` loads."""
        self._pending_cogs.extend(cogs)

    @property
    def own_id(self) -> int:
        """The bot's user id; 0 before the login."""
        return self.user.id if self.user is not None else 0

    @property
    def is_online(self) -> bool:
        """Whether the gateway is connected and ready; `is_ready` alone stays true after a lost socket."""
        return self.is_ready() and not self.is_closed() and self.ws is not None and self.ws.open

    async def setup_hook(self) -> None:
        """Load the cogs and sync the slash commands."""
        for cog in self._pending_cogs:
            await self.add_cog(cog)
        # Discord would hide the commands from people with an admin role who may not manage the server.
        if not self._has_admin_roles:
            for one in self.commands:
                if one.extras.get("admin") and isinstance(one, commands.HybridCommand) and one.app_command:
                    one.app_command.default_permissions = discord.Permissions(manage_guild=True)
        await self.tree.set_translator(DescriptionTranslator())
        if self._syncs_commands:
            await self.sync_commands()

    async def sync_commands(self) -> None:
        """Sync all slash commands; a failure is logged only, since prefix commands still work."""
        try:
            await self.tree.sync()
        except UNREACHABLE:
            log.warning("commands.not_synced", exc_info=True)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait until Discord's limit on new sessions allows one more."""
        await asyncio.sleep(self._identify_limiter.reserve_s(time.monotonic()))

    async def on_message(self, message: discord.Message, /) -> None:
        """Process messages of people, each once; bots and webhooks are ignored."""
        if message.webhook_id is None and self._seen_messages.is_new(message.id):
            async with self.questions.locks.hold(message.id):
                await self.process_commands(message)

    async def get_prefix(self, message: discord.Message, /) -> list[str]:
        """Return what may begin a command: the prefix, also after a mention of the bot, or the mention."""
        prefixes = [self._typed_prefix]
        mention = mention_at_start(message.content, self.own_id)
        rest = message.content.removeprefix(mention)
        if mention and rest.startswith(self._typed_prefix):
            prefixes.append(mention + self._typed_prefix)
        elif mention and self.get_command(rest.split(maxsplit=1)[0] if rest else "") is not None:
            prefixes.append(mention)
        return prefixes

    async def invoke(self, context: Context, /) -> None:  # type: ignore[override]
        """Run a typed command, or refuse it where its reply would come too late."""
        if context.command is None and context.prefix is None:
            self.dispatch("plain_message", context)
            return
        channel, shedding = context.channel, self.shedding
        if shedding.has_room(channel.id):
            with shedding.expect_reply(channel.id):
                await super().invoke(context)
        elif context.command is not None:
            shedding.refuse(channel, channel.id, is_query=context.command.name == "fill")

    async def on_ready(self) -> None:
        """Log it; this can fire again after a reconnect."""
        log.info("discord.ready", guilds=len(self.guilds))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Log the exception of an event handler and continue."""
        if self._is_dropped(event_method):
            return
        log.error("event.failed", handler=event_method, exc_info=sys.exception())

    async def get_context(self, origin: Any, /, *, cls: Any = Context) -> Any:
        """Use our `Context` for every command; a sentence that is heard without one becomes a `!fill`."""
        context = await super().get_context(origin, cls=cls)
        if context.prefix is None and self.hear is not None:
            sentence = await self.hear(context.message)
            if sentence is not None:
                context.prefix, context.invoked_with = "", "fill"
                context.command, context.view = self.get_command("fill"), StringView(sentence)
        return context

    async def on_command_error(self, context: Context, error: commands.CommandError, /) -> None:  # type: ignore[override]
        """Reply to the error of a command.

        1. An unknown command: ignore it, as it may be for another bot; features may listen to the event.
        2. A server that is not allowed: say so at most every ten minutes per channel.
        3. Discord accepts no reply, or may already have it: only log.
        4. Anything else: `_error_reply`.
        """
        cause = cause_of(error)
        if self._is_dropped(str(context.command)):
            return
        if isinstance(cause, commands.CommandNotFound):
            self.dispatch("unknown_command", context)
            return
        if isinstance(cause, NotListedError) and not self._may_say_not_listed(context):
            return
        if self._log_if_unanswerable(cause):
            return
        await self.send_sentence(context, self._error_reply(cause, context.command))

    def _is_dropped(self, what: str) -> bool:
        """Whether the client was closed before a handler ended, which makes any of its requests fail."""
        if self.is_closed():
            log.info("event.dropped", handler=what)
        return self.is_closed()

    async def send_sentence(self, context: Context, sentence: str) -> None:
        """Reply with a sentence; a failure is logged."""
        try:
            await send_reply(context, sentence, ephemeral=True)
        except (discord.HTTPException, NotSentError, *NETWORK) as error:
            log_not_sent(error)

    @contextlib.asynccontextmanager
    async def replying_to_errors(self, interaction: discord.Interaction) -> AsyncIterator[None]:
        """Reply to errors in the block as to those of commands; for menus, buttons and forms."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  the error handler of components
            cause = cause_of(error)
            if self._log_if_unanswerable(cause):
                return
            await _reply_ephemerally(interaction, self._error_reply(cause, None))

    def _log_if_unanswerable(self, error: BaseException) -> bool:
        if may_have_arrived(error):  # reconciliation looks for it
            self.dispatch("reply_lost")
        return log_if_unanswerable(error)

    def _error_reply(self, error: BaseException, command: Any) -> str:
        """Return the reply to an error.

        1. The error's own text, if it is meant for people.
        2. The right usage, or how long to wait.
        3. For anything else, a reference that is also in the log.
        """
        sentence = reply_to(error, prefix=self.prefix, command=command)
        if sentence is None:
            reference = secrets.token_hex(3).upper()
            log.error("command.failed", reference=reference, command=str(command), exc_info=error)
            sentence = say("errors.unexpected", reference=reference)
        return sentence

    async def _start_typing(self, context: Context) -> None:
        command: Any = context.command
        context.start_typing(is_ephemeral=bool(command.extras.get("ephemeral")))

    async def _on_tree_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError
    ) -> None:
        """Reply to an interaction that failed before its command was called."""
        if self._log_if_unanswerable(cause_of(error)):
            return
        log.error("interaction.failed", exc_info=error)
        if not interaction.response.is_done():
            await _reply_ephemerally(interaction, say("errors.stale_command"))

    async def may_ask(self, context: Context) -> bool:
        """Whether the bot works where this was written, for who wrote it."""
        return await self.access.may_ask(context.author, context.guild.id if context.guild else None)

    async def _may_command(self, context: Context) -> bool:
        command: Any = context.command
        try:
            if not await self.may_ask(context):
                raise NotListedError
            if command.extras.get("admin"):
                await self.access.require_admin(context.author, context.guild.id if context.guild else None)
        except UNREACHABLE as error:  # discord.py wraps errors of commands, but not those of checks
            raise commands.CommandInvokeError(error) from error
        return True

    def _may_say_not_listed(self, context: Context) -> bool:
        """Whether to say that the bot does not work here; an interaction always needs a reply."""
        if context.interaction is not None:
            return True
        now = time.monotonic()
        said_at = {c: at for c, at in self._not_listed_said_at.items() if now - at < NOT_LISTED_EVERY_S}
        is_first = context.channel.id not in said_at
        self._not_listed_said_at = {context.channel.id: now, **said_at}
        return is_first


async def _reply_ephemerally(interaction: discord.Interaction, sentence: str) -> None:
    """Send a sentence that only this person sees; a failure is logged."""
    try:
        if interaction.response.is_done():
            await interaction.followup.send(sentence, ephemeral=True)
        else:
            await interaction.response.send_message(sentence, ephemeral=True)
    except (discord.HTTPException, *NETWORK) as error:
        log_not_sent(error)
