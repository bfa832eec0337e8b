"""Composition root: builds, enters and closes everything in order.

It talks to Discord when there is a token, else to a sandbox that it starts.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bot.announcements.announcer import Announcements
from bot.announcements.delivery import Delivery
from bot.announcements.digests import Digests
from bot.announcements.report_channel import Reports
from bot.announcements.verdicts import Verdicts
from bot.answering.answers import Answering
from bot.answering.champion import Serving, load_champion
from bot.answering.in_flight import Pending
from bot.answering.predictor import Predictor
from bot.answering.thumb_seeding import ThumbSeeding
from bot.answering.write_queue import Recorder
from bot.background import Background, Supervisor
from bot.client import FillBot
from bot.cogs.all_cogs import Parts, all_cogs
from bot.connection.endpoint import Endpoint, endpoint_for, warn_of_unfit
from bot.connection.session import connected
from bot.distributed.forget_propagation import Leftovers
from bot.distributed.leader_election import Leader
from bot.distributed.leader_tasks import Duties
from bot.distributed.remote_predictor import Remote
from bot.distributed.sharded_client import make_bot
from bot.distributed.startup import shard_locks
from bot.errors import EX_UNAVAILABLE, StartError
from bot.operations.backups import Backups
from bot.operations.health import Readiness, health_server
from bot.operations.metrics import Metrics
from bot.operations.probes import watch_parts
from bot.operations.startup import home_lock, log_in_first, make_first_version, mend_database, mend_pointer
from bot.privacy.forgetting import Forgetting
from bot.privacy.retention import Retention
from bot.runs.automatic_rollback import Watch
from bot.runs.nightly import Night
from bot.runs.schedule import Nightly
from bot.runs.training_runs import Runs
from bot.settings import Settings
from bot.subprocesses.charts import Pictures
from bot.texts import say
from bot.voting.reconcile import Reconcile
from storage.backends.locks import is_shared
from storage.database import Database
from storage.maintenance.backups import database_file
from training.registry.factory import current_registry
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """The parts of a running bot."""

    database: Database
    registry: Registry
    serving: Serving
    runs: Runs
    reports: Reports
    bot: FillBot
    night: Night
    reconcile: Reconcile
    connection: "asyncio.Task[None]"
    endpoint: Endpoint
    health_url: str | None = None
    taken: "asyncio.Task[None] | None" = None  # ends when another process runs a shard of this one

    @property
    def greeting(self) -> str:
        """One sentence that says people can ask, and where."""
        where = (
            f"open {sandbox.url}" if (sandbox := self.endpoint.sandbox) else "the bot is online on Discord"
        )
        return f"fillbot is ready ({self.serving.predictor.version}): {where}"

    async def until_lost(self) -> None:
        """Wait until the connection ends for good; short losses are mended by discord.py itself.

        Raises:
            StartError: the connection ended, another process runs a shard of this one, or the database is
                damaged, so that a supervisor starts the process anew; the start mends the database.
        """
        damaged = asyncio.create_task(self.database.damaged.wait())
        watched = [self.connection, damaged, *([self.taken] if self.taken else [])]
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        if damaged.done():
            log.critical("database.damaged")
            raise StartError(say("database.damaged"), exit_code=EX_UNAVAILABLE)
        damaged.cancel()
        if self.taken is not None and self.taken.done():
            log.critical("shard.taken")
            self.taken.result()  # raises
        error = None if self.connection.cancelled() else self.connection.exception()
        log.critical("discord.connection_lost", exc_info=error)
        raise StartError("The connection to Discord was lost for good.", exit_code=EX_UNAVAILABLE) from error


async def run_app(settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Run until cancelled; `on_ready` gets one sentence when people can ask.

    Raises:
        StartError: the app cannot start, or lost its connection; nothing is left running.
        StorageError: the database cannot be opened.
        TrainingError: the model versions cannot be read.
    """
    async with open_app(settings) as app:
        on_ready(app.greeting)
        await app.until_lost()


@contextlib.asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """Start everything, and close it in the other order; raises as `run_app` does."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(home_lock(settings))
        taken = await stack.enter_async_context(shard_locks(settings))
        metrics, readiness = Metrics(), Readiness()
        background, pending = Background(Supervisor(metrics)), Pending()
        supervisor = background.supervisor
        health_url = await stack.enter_async_context(
            health_server(readiness, metrics, host=settings.health_host, port=settings.health_port)
        )
        mended = await mend_database(settings)
        database = await Database.open(settings.url)
        stack.push_async_callback(database.close)
        registry = await asyncio.to_thread(current_registry, settings)
        if not registry.versions():
            await log_in_first(settings)
            await make_first_version(settings)
        lost_pointer = await mend_pointer(registry, database)
        model, trouble = await load_champion(registry)
        remote = (
            Remote(settings.serving_url, metrics=metrics, supervisor=supervisor)
            if settings.serving_url
            else None
        )
        predictor = Predictor(model, metrics=metrics, remote=remote)
        stack.push_async_callback(predictor.close)
        serving = Serving(registry, predictor, trouble=trouble, metrics=metrics)
        runs = Runs(settings, database, registry, serving, metrics=metrics, supervisor=supervisor)
        interrupted = await runs.repair()
        endpoint = await endpoint_for(settings, stack)
        bot = make_bot(settings, background, guild_ids=endpoint.guild_ids, metrics=metrics)
        verdicts = Verdicts(bot, database)
        pictures = Pictures(settings)
        several = is_shared(settings.url)
        digests = Digests(database, registry, pictures, prefix=settings.prefix)
        announcements = Announcements(
            bot,
            database,
            delivery=Delivery(bot, verdicts=verdicts, digests=digests, channel_id=endpoint.report_channel_id),
            runs=runs,
            background=background,
            is_shared=several,
        )
        await announcements.open()
        reports = Reports(announcements, channel_id=endpoint.report_channel_id)
        watch = Watch(
            database,
            registry,
            serving=serving,
            runs=runs,
            reports=reports,
            min_voters=settings.needed_voters,
            prefix=settings.prefix,
        )
        file = database_file(settings.url)
        backups = Backups(
            file, settings.backups_dir, keep=settings.keep_backups, reports=reports, metrics=metrics
        )
        retention = Retention(database, home=settings.home, days=settings.retention_days)

        def due_at() -> datetime:
            return nightly.due_at(datetime.now(UTC))

        night = Night(runs, reports, watch, retention, backups, due_at if several else None)
        nightly = Nightly(
            lambda: supervisor.once("night", night.run), at=settings.nightly_at, zone=settings.zone
        )
        forgetting = Forgetting(
            settings,
            database,
            registry,
            predictor=predictor,
            serving=serving,
            runs=runs,
            reports=reports,
            backups=backups,
        )
        duties = Duties(
            bot=bot,
            database=database,
            registry=registry,
            background=background,
            runs=runs,
            watch=watch,
            announcements=announcements,
            forgetting=forgetting,
            nightly=nightly,
            watch_every_s=settings.watch_every_s,
            is_shared=several,
        )
        leader = Leader(settings, background, duties)
        if several:
            readiness.among_others = lambda: {"shards": str(settings.shards), "leader": leader.where}
        recorder = Recorder(database)
        stack.push_async_callback(recorder.close)
        answering = Answering(
            predictor,
            database,
            recorder,
            ThumbSeeding(background, bot.shedding.pacing),
            pending,
            prefix=settings.prefix,
            max_chars=settings.max_query_chars,
            max_masks=settings.max_masks,
            shown_words=settings.shown_words,
            min_voters=settings.needed_voters,
            half_life_days=settings.vote_half_life_days,
        )
        reconcile = Reconcile(
            bot,
            database,
            recorder,
            offer_thumbs=answering.offer_thumbs,
            look_back=timedelta(days=settings.look_back_days),
            max_replies=settings.look_back_replies,
            since=datetime.now(UTC) if endpoint.sandbox else None,  # it begins empty
        )
        parts = Parts(
            settings=settings,
            bot=bot,
            database=database,
            registry=registry,
            predictor=predictor,
            serving=serving,
            runs=runs,
            verdicts=verdicts,
            announcements=announcements,
            reports=reports,
            watch=watch,
            nightly=nightly,
            recorder=recorder,
            reconcile=reconcile,
            background=background,
            pending=pending,
            shedding=bot.shedding,
            metrics=metrics,
            forgetting=forgetting,
            pictures=pictures,
            answering=answering,
        )
        watch_parts(parts, readiness, backups=backups, database_file=file)
        bot.add_cogs(*all_cogs(parts))
        connection = await stack.enter_async_context(connected(bot, endpoint.token))
        warn_of_unfit(bot.get_channel(endpoint.report_channel_id or 0))
        stack.push_async_callback(background.close)
        stack.push_async_callback(pending.drained)
        stack.callback(nightly.close)
        stack.push_async_callback(runs.close)  # before all of those, so that its verdict can still be told
        stack.callback(readiness.stop)
        background.supervise(serving.watch, name="champion watch")
        if registry.is_shared:
            background.supervise(serving.stock, name="model stock")
        background.supervise(reconcile.run, name="reconcile")
        if several:
            leftovers = Leftovers(settings.home, database, predictor)
            background.supervise(leftovers.drop_for_ever, name="leftovers")
        untold = await announcements.untold(interrupted)
        await leader.open()
        for notice in (
            mended,
            lost_pointer,
            trouble,
            *(say("run.interrupted", id=run.id, trigger=run.trigger) for run in untold),
        ):
            if notice:
                await reports.post_notice(notice)
        yield App(
            database,
            registry,
            serving,
            runs,
            reports,
            bot,
            night,
            reconcile,
            connection,
            endpoint,
            health_url,
            taken,
        )
