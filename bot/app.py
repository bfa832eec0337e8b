"""Composition root: builds the parts, starts them and closes them in reverse order.

With a token the bot connects to Discord, otherwise to a sandbox on this machine.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import structlog

from bot.announcements.report_channel import ReportChannel
from bot.answering.champion_follower import BotChampionFollower
from bot.answering.early_loading import EarlyModel
from bot.client import FillBot
from bot.cogs.again import Again
from bot.cogs.decide import Decide
from bot.cogs.edits import Edits
from bot.cogs.fill import Fill
from bot.cogs.help import Help
from bot.cogs.listening import Listening
from bot.cogs.models import Models
from bot.cogs.privacy import Privacy
from bot.cogs.rating import Rating
from bot.cogs.votes import Votes
from bot.connection.endpoint import Endpoint, check_report_channel
from bot.connection.session import connected
from bot.distributed.forget_propagation import ForgetPropagation
from bot.distributed.startup import shard_locks
from bot.errors import EX_UNAVAILABLE, StartError
from bot.features import add_features
from bot.operations.probes import register_probes
from bot.operations.startup import home_lock
from bot.proof.follower import ChallengerFollower
from bot.proof.watch import ProofWatch
from bot.runs.nightly import NightlyRun
from bot.runs.training_runs import TrainingRuns
from bot.settings import Settings
from bot.texts import named, say, speaking
from bot.voting.reconcile import Reconcile
from bot.wiring import (
    Parts,
    build_runs,
    build_scheduled,
    build_voting,
    open_announcing,
    open_discord,
    open_inference,
    open_operations,
    open_storage,
)
from storage.backends.locks import is_shared
from storage.database import Database
from storage.runs import Run
from training.corpus.language import reading
from training.registry.sharing import shared_versions
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
CORE = (Fill, Listening, Edits, Rating, Again, Votes, Models, Decide, Privacy, Help)


@dataclass(frozen=True, slots=True)
class App:
    """The parts of a running bot."""

    database: Database
    registry: Registry
    follower: BotChampionFollower
    runs: TrainingRuns
    reports: ReportChannel
    bot: FillBot
    nightly_run: NightlyRun
    reconcile: Reconcile
    proof: ProofWatch
    connection: "asyncio.Task[None]"
    endpoint: Endpoint
    health_url: str | None = None
    taken: "asyncio.Task[None] | None" = None  # fails when another process takes one of our shards

    @property
    def greeting(self) -> str:
        """The line on standard output that says where to ask."""
        where = (
            f"open {sandbox.url}" if (sandbox := self.endpoint.sandbox) else "the bot is online on Discord"
        )
        return f"fillbot is ready ({self.follower.predictor.version}): {where}"

    async def until_lost(self) -> None:
        """Wait until the connection ends for good; discord.py itself reconnects after short outages.

        Raises:
            StartError: the connection ended, another process runs a shard of this one, or the database is
                damaged. A supervisor then restarts the process, and the restart repairs the database.
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


async def run_app(
    settings: Settings, *, on_ready: Callable[[str], None], early: EarlyModel | None = None
) -> None:
    """Run until cancelled.

    Args:
        settings: all settings.
        on_ready: gets one sentence once the bot answers.
        early: the champion, which is being loaded already.

    Raises:
        StartError: the app cannot start, or lost its connection; everything is closed.
        StorageError: the database cannot be opened.
        TrainingError: the model versions cannot be read.
    """
    async with open_app(settings, early=early) as app:
        on_ready(app.greeting)
        await app.until_lost()


@contextlib.asynccontextmanager
async def open_app(settings: Settings, *, early: EarlyModel | None = None) -> AsyncIterator[App]:
    """Start everything, and close it in reverse order; raises as `run_app` does."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(speaking(settings.language))
        stack.enter_context(reading(settings.corpus_language))
        stack.enter_context(home_lock(settings))
        taken = await stack.enter_async_context(shard_locks(settings))
        operations = await open_operations(settings, stack)
        storage = await open_storage(settings, stack)
        inference = await open_inference(settings, storage, operations, stack, early)
        runs = build_runs(settings, storage, inference, operations)
        interrupted = await runs.repair()
        discord = await open_discord(settings, operations, stack)
        announcing = await open_announcing(settings, storage, runs, discord, operations)
        scheduled = build_scheduled(settings, storage, inference, runs, discord, announcing, operations)
        voting = build_voting(settings, storage, inference, discord, operations)
        parts = Parts(settings, operations, storage, inference, runs, discord, announcing, scheduled, voting)
        register_probes(parts)
        discord.bot.add_cogs(*(cog(parts) for cog in CORE))
        add_features(parts)
        connection = await stack.enter_async_context(connected(discord.bot, discord.endpoint.token))
        check_report_channel(discord.bot.get_channel(discord.endpoint.report_channel_id or 0))
        _close_before_disconnecting(parts, stack)
        _supervise_loops(parts)
        unannounced = await announcing.announcements.unannounced(interrupted)
        await scheduled.leader.open()
        await _post_notices(parts, unannounced)
        yield App(
            database=storage.database,
            registry=storage.registry,
            follower=inference.follower,
            runs=runs,
            reports=announcing.reports,
            bot=discord.bot,
            nightly_run=scheduled.nightly_run,
            reconcile=voting.reconcile,
            proof=scheduled.proof,
            connection=connection,
            endpoint=discord.endpoint,
            health_url=operations.health_url,
            taken=taken,
        )


def _close_before_disconnecting(parts: Parts, stack: contextlib.AsyncExitStack) -> None:
    """Register everything that must end while messages can still be sent; the last one ends first."""
    stack.push_async_callback(parts.operations.background.close)
    stack.push_async_callback(parts.voting.in_flight.drain)
    stack.callback(parts.scheduled.nightly.close)
    stack.push_async_callback(parts.runs.close)  # before those above: its verdict is still to be posted
    stack.callback(parts.operations.readiness.stop)


def _supervise_loops(parts: Parts) -> None:
    """Start the loops that every process runs, the leader or not."""
    background, follower = parts.operations.background, parts.inference.follower
    background.supervise(follower.watch, name="champion watch")
    if shared_versions(parts.storage.registry) is not None:
        background.supervise(follower.prefetch, name="model prefetch")
    if parts.settings.promotion == "proof":
        storage, predictor = parts.storage, parts.inference.predictor
        challenger = ChallengerFollower(
            storage.database, storage.registry, predictor, parts.operations.metrics
        )
        background.supervise(challenger.watch, name="challenger watch")
    background.supervise(parts.voting.reconcile.run, name="reconcile")
    if is_shared(parts.settings.url):
        propagation = ForgetPropagation(
            parts.settings.home, parts.storage.database, parts.inference.predictor
        )
        background.supervise(parts.inference.team_words.watch, name="team words")
        background.supervise(propagation.run, name="forget propagation")


async def _post_notices(parts: Parts, interrupted: Sequence[Run]) -> None:
    """Post what was repaired during the start, and the runs that a crash interrupted."""
    notices = [*parts.storage.notices, *([parts.inference.notice] if parts.inference.notice else [])]
    notices += [
        say("run.interrupted", id=run.id, trigger=named("run.triggers", run.trigger)) for run in interrupted
    ]
    for notice in notices:
        await parts.announcing.reports.post_notice(notice)
