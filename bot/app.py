"""Composition root: builds, enters and closes everything in order. Discord when there is a token, else the sandbox."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import discord
import structlog
from filelock import FileLock, Timeout

from bot.background import Background
from bot.child import spawned
from bot.client import FillBot, point_discord_at
from bot.cogs.fill import Fill
from bot.cogs.models import Models
from bot.cogs.votes import Votes
from bot.errors import EX_UNAVAILABLE, RunBusyError, StartError
from bot.predictor import Predictor
from bot.replies import verdict_embed
from bot.schedule import Nightly, Runs
from bot.serving import Serving, load_champion
from bot.settings import Settings
from storage import runs as run_records
from storage.database import Database
from training.registry import Registry

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the bot talks: Discord, or the sandbox on this machine."""

    token: str
    guild_ids: tuple[int, ...]
    report_channel_id: int | None
    page_url: str | None = None


async def run_app(settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Run until cancelled; `on_ready` gets one sentence when people can ask.

    Raises:
        StartError: the app cannot start; nothing is left running.
        StorageError: the database cannot be opened.
        RegistryError: the model versions cannot be read.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_home_lock(settings))
        database = await Database.open(settings.url)
        stack.push_async_callback(database.close)
        registry = Registry(settings.models_dir)
        if registry.champion() is None or not registry.versions():
            await _make_first_version(settings)
        model, trouble = await load_champion(registry)
        predictor = Predictor(model)
        stack.push_async_callback(predictor.close)
        serving = Serving(registry, predictor, trouble=trouble)
        place = await _place(settings, stack)
        background = Background()
        stack.push_async_callback(background.close)
        runs = Runs(settings, database, registry, serving)
        await runs.repair()
        bot = FillBot(
            prefix=settings.prefix, guild_ids=place.guild_ids, admin_role_ids=settings.admin_role_ids
        )
        nightly = Nightly(
            lambda: _nightly(runs, bot, place.report_channel_id), at=settings.nightly_at, zone=settings.zone
        )
        stack.callback(nightly.close)
        bot.add_cogs(
            Fill(
                bot,
                predictor,
                database,
                background,
                max_chars=settings.max_query_chars,
                max_masks=settings.max_masks,
            ),
            Votes(bot, database),
            Models(
                bot,
                registry=registry,
                database=database,
                serving=serving,
                runs=runs,
                background=background,
                nightly=nightly,
            ),
        )
        background.start(serving.watch(), name="champion watch")
        await _serve(bot, place, stack)
        await _open_nightly(nightly, database, registry)
        if trouble:
            await _report(bot, place.report_channel_id, content=trouble)
        where = f"open {place.page_url}" if place.page_url else "the bot is online on Discord"
        on_ready(f"fillbot is ready ({predictor.version}): {where}")
        await asyncio.Event().wait()


@contextlib.contextmanager
def _home_lock(settings: Settings):  # type: ignore[no-untyped-def]
    """Hold `bot.lock`: one bot a home."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.home / "bot.lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        sentence = (
            f"Another fillbot is running in {settings.home}. Stop it, or set FILLBOT_HOME to another folder."
        )
        raise StartError(sentence, exit_code=EX_UNAVAILABLE) from error
    except OSError as error:
        raise StartError(
            f"The folder {settings.home} cannot be written ({error.strerror}). Give this user the right to write "
            "there, free some disk space, or set FILLBOT_HOME to another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


async def _make_first_version(settings: Settings) -> None:
    """Let the training process make it, with its progress on this terminal."""
    log.info("model.first_version")
    async with spawned(settings, "init") as process:
        if await process.wait():
            raise StartError(
                "The first model version could not be made; the reason stands above.",
                exit_code=EX_UNAVAILABLE,
            )


async def _place(settings: Settings, stack: contextlib.AsyncExitStack) -> _Place:
    """Discord, or a sandbox that is started here; never both."""
    if settings.discord_token is not None:
        point_discord_at(settings.discord_api_url, settings.discord_gateway_url)
        token = settings.discord_token.get_secret_value()
        return _Place(token, settings.guild_ids, settings.report_channel_id)
    from bot.sandbox.server import Sandbox

    sandbox = await stack.enter_async_context(Sandbox(port=settings.sandbox_port))
    point_discord_at(sandbox.api_url, sandbox.gateway_url)
    return _Place(sandbox.bot_token, (sandbox.guild_id,), sandbox.reports_channel_id, sandbox.url)


async def _serve(bot: FillBot, place: _Place, stack: contextlib.AsyncExitStack) -> None:
    """Log in and wait until the bot is ready; turn what Discord refuses into one sentence."""
    stack.push_async_callback(bot.close)
    connected = asyncio.create_task(bot.start(place.token), name="discord")
    ready = asyncio.create_task(bot.wait_until_ready(), name="ready")
    try:
        await asyncio.wait((connected, ready), return_when=asyncio.FIRST_COMPLETED)
        if connected.done():
            connected.result()
            raise StartError("Discord closed the connection.", exit_code=EX_UNAVAILABLE)
    except discord.LoginFailure as error:
        raise StartError(
            "Discord refused the token. Copy it anew from the developer portal (Bot → Reset Token) to DISCORD_TOKEN."
        ) from error
    except discord.PrivilegedIntentsRequired as error:
        raise StartError(
            "The bot needs the Message Content intent. Switch it on in the developer portal (Bot → Privileged "
            "Gateway Intents → Message Content Intent), then start again."
        ) from error
    except (OSError, discord.HTTPException, discord.GatewayNotFound, discord.ConnectionClosed) as error:
        raise StartError(f"Discord cannot be reached ({error}).", exit_code=EX_UNAVAILABLE) from error
    finally:
        ready.cancel()
    connected.add_done_callback(_end_of_connection)


def _end_of_connection(task: "asyncio.Task[None]") -> None:
    """Without its connection the bot is of no use: end the process, so that its supervisor starts it anew."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("discord.connection_lost", exc_info=error)
        for other in asyncio.all_tasks(task.get_loop()):
            if other.get_name() == "app":
                other.cancel()


async def _open_nightly(nightly: Nightly, database: Database, registry: Registry) -> None:
    """Begin the schedule; a night that was missed is caught up at once."""
    last = await run_records.latest(database, "nightly")
    domain = registry.domain()
    since = last.started_at if last else (registry.card(domain).created_at if domain else None)
    if nightly.open(last_started_at=since, now=datetime.now(UTC)):
        log.info("nightly.catching_up", since=str(since))


async def _nightly(runs: Runs, bot: FillBot, report_channel_id: int | None) -> None:
    """One nightly run, and its verdict in the report channel."""
    try:
        end = await runs.start("nightly")
    except RunBusyError:
        log.info("nightly.skipped", reason="a run is in progress")
        return
    if end.run is None:
        await _report(bot, report_channel_id, content=f"The nightly run failed: {end.sentence}")
    else:
        await _report(bot, report_channel_id, embed=verdict_embed(end.run, end.sentence))


async def _report(bot: FillBot, channel_id: int | None, **message: object) -> None:
    """Post to the report channel, where there is one."""
    if channel_id is None:
        return
    channel = bot.get_partial_messageable(channel_id)
    try:
        await channel.send(**message)  # type: ignore[arg-type]
    except discord.HTTPException:
        log.warning("report.not_posted", channel_id=channel_id, exc_info=True)
