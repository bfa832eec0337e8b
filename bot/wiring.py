"""The parts of a running bot in groups, and the functions that build each group.

`bot.app` calls these functions in order. A function that registers something on the exit stack is named
`open_…`, because the order of such calls decides the order of closing.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.announcements.announcer import Announcer
from bot.announcements.delivery import Delivery
from bot.announcements.report_channel import ReportChannel
from bot.announcements.verdicts import Verdicts
from bot.answering.champion_follower import BotChampionFollower, load_champion
from bot.answering.early_loading import EarlyModel
from bot.answering.in_flight import InFlight
from bot.answering.predictor import Predictor
from bot.answering.query_handler import QueryHandler
from bot.answering.team_words import TeamWords
from bot.answering.thumb_seeding import ThumbSeeding
from bot.answering.write_queue import WriteQueue
from bot.background import Background, Supervisor
from bot.client import FillBot
from bot.connection.endpoint import Endpoint, endpoint_for
from bot.distributed.leader_election import LeaderElection
from bot.distributed.leader_tasks import LeaderTasks
from bot.distributed.remote_predictor import RemotePredictor
from bot.distributed.sharded_client import make_bot
from bot.operations.backups import NightlyBackup
from bot.operations.health import Readiness, health_server
from bot.operations.metrics import Metrics
from bot.operations.startup import (
    make_first_version,
    recover_database,
    repair_champion_pointer,
    validate_token,
)
from bot.privacy.forgetting import Forgetting
from bot.privacy.retention import Retention
from bot.proof.watch import Limits, ProofWatch
from bot.runs.automatic_rollback import AutomaticRollback
from bot.runs.decisions import Decisions
from bot.runs.nightly import NightlyRun
from bot.runs.schedule import NightlySchedule
from bot.runs.training_runs import TrainingRuns
from bot.settings import Settings
from bot.subprocesses.charts import ChartRenderer
from bot.subprocesses.word_ranks import WordRanks
from bot.voting.acknowledgement import VoteAcknowledgement
from bot.voting.reconcile import Reconcile
from storage.backends.locks import is_shared
from storage.database import Database
from storage.maintenance.backups import database_file
from training.registry.factory import current_registry
from training.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class Operations:
    """Metrics, health and background tasks."""

    metrics: Metrics
    readiness: Readiness
    background: Background
    health_url: str | None


@dataclass(frozen=True, slots=True)
class Storage:
    """The database, its write queue and the model registry, and a notice for each that was repaired."""

    database: Database
    write_queue: WriteQueue
    database_file: Path | None
    registry: Registry
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inference:
    """The model that answers, and how other versions rank words; `notice` says why it is not the champion."""

    predictor: Predictor
    follower: BotChampionFollower
    word_ranks: WordRanks
    notice: str | None
    team_words: TeamWords


@dataclass(frozen=True, slots=True)
class Discord:
    """The client, and the server it connects to."""

    bot: FillBot
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Announcing:
    """Messages about runs and problems."""

    announcements: Announcer
    delivery: Delivery
    reports: ReportChannel
    verdicts: Verdicts
    pictures: ChartRenderer


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The nightly run and the tasks that go on without a command."""

    nightly_run: NightlyRun
    nightly: NightlySchedule
    rollback: AutomaticRollback
    decisions: Decisions
    proof: ProofWatch
    backups: NightlyBackup
    forgetting: Forgetting
    leader: LeaderElection


@dataclass(frozen=True, slots=True)
class Voting:
    """From a query to the votes on its reply."""

    query_handler: QueryHandler
    reconcile: Reconcile
    in_flight: InFlight
    acknowledgement: VoteAcknowledgement


@dataclass(frozen=True, slots=True)
class Parts:
    """All groups of a running bot."""

    settings: Settings
    operations: Operations
    storage: Storage
    inference: Inference
    runs: TrainingRuns
    discord: Discord
    announcing: Announcing
    scheduled: Scheduled
    voting: Voting


async def open_operations(settings: Settings, stack: contextlib.AsyncExitStack) -> Operations:
    """Start the health server first, so that a probe sees a slow start as starting.

    Raises:
        StartError: the port is in use.
    """
    metrics, readiness = Metrics(), Readiness()
    health_url = await stack.enter_async_context(
        health_server(readiness, metrics, host=settings.health_host, port=settings.health_port)
    )
    return Operations(metrics, readiness, Background(Supervisor(metrics)), health_url)


async def open_storage(settings: Settings, stack: contextlib.AsyncExitStack) -> Storage:
    """Open the database and the registry; repair both, and train a first version if needed.

    Raises:
        StartError: Discord refuses the token, or the first version cannot be trained.
        StorageError: the database cannot be opened.
        TrainingError: the model versions cannot be read.
    """
    recovered = await recover_database(settings)
    database = await Database.open(settings.url)
    stack.push_async_callback(database.close)
    write_queue = WriteQueue(database)
    stack.push_async_callback(write_queue.close)
    registry = await asyncio.to_thread(current_registry, settings)
    if not registry.versions():
        await validate_token(settings)
        await make_first_version(settings)
    repaired = await repair_champion_pointer(registry, database)
    notices = tuple(notice for notice in (recovered, repaired) if notice)
    return Storage(database, write_queue, database_file(settings.url), registry, notices)


async def open_inference(
    settings: Settings,
    storage: Storage,
    operations: Operations,
    stack: contextlib.AsyncExitStack,
    early: EarlyModel | None = None,
) -> Inference:
    """Load the champion unless it is there early, and connect to an inference service that is configured.

    Raises:
        StartError: no version can be loaded.
        RegistryError: the champion cannot be determined.
    """
    metrics, supervisor = operations.metrics, operations.background.supervisor
    model, notice = await load_champion(storage.registry, early)
    url = settings.serving_url
    remote = RemotePredictor(url, metrics=metrics, supervisor=supervisor) if url else None
    predictor = Predictor(model, metrics=metrics, remote=remote)
    stack.push_async_callback(predictor.close)
    follower = BotChampionFollower(storage.registry, predictor, trouble=notice, metrics=metrics)
    team_words = TeamWords(storage.database, predictor)
    await team_words.load()
    return Inference(predictor, follower, WordRanks(settings, lambda: predictor.denied), notice, team_words)


def build_runs(
    settings: Settings, storage: Storage, inference: Inference, operations: Operations
) -> TrainingRuns:
    """Build what starts training runs."""
    return TrainingRuns(
        settings,
        storage.database,
        storage.registry,
        inference.follower,
        metrics=operations.metrics,
        supervisor=operations.background.supervisor,
    )


async def open_discord(
    settings: Settings, operations: Operations, stack: contextlib.AsyncExitStack
) -> Discord:
    """Build the client without connecting it; without a token, start the sandbox.

    Raises:
        StartError: the sandbox's port is in use.
    """
    endpoint = await endpoint_for(settings, stack)
    bot = make_bot(settings, operations.background, guild_ids=endpoint.guild_ids, metrics=operations.metrics)
    return Discord(bot, endpoint)


async def open_announcing(
    settings: Settings, storage: Storage, runs: TrainingRuns, discord: Discord, operations: Operations
) -> Announcing:
    """Build the announcements and release those that a crash left claimed.

    Raises:
        StorageError: the database cannot be written.
    """
    channel_id = discord.endpoint.report_channel_id
    verdicts, pictures = Verdicts(discord.bot, storage.database, storage.registry), ChartRenderer(settings)
    delivery = Delivery(discord.bot, verdicts=verdicts, channel_id=channel_id)
    announcements = Announcer(
        discord.bot,
        storage.database,
        delivery=delivery,
        runs=runs,
        background=operations.background,
        is_shared=is_shared(settings.url),
    )
    await announcements.open()
    reports = ReportChannel(announcements, channel_id=channel_id)
    return Announcing(announcements, delivery, reports, verdicts, pictures)


def build_scheduled(
    settings: Settings,
    storage: Storage,
    inference: Inference,
    runs: TrainingRuns,
    discord: Discord,
    announcing: Announcing,
    operations: Operations,
) -> Scheduled:
    """Build the nightly run, its schedule and the tasks of the leader; none of them starts here."""
    several, reports = is_shared(settings.url), announcing.reports
    rollback = AutomaticRollback(
        storage.database,
        storage.registry,
        follower=inference.follower,
        runs=runs,
        reports=reports,
        min_voters=settings.needed_voters,
        prefix=lambda: discord.bot.prefix,
    )
    decisions = Decisions(storage.database, storage.registry, inference.follower, runs)
    proof = ProofWatch(
        storage.database,
        storage.registry,
        decisions=decisions,
        reports=reports,
        limits=Limits(settings.needed_voters, settings.proof_max_answers, settings.proof_days),
        is_on=settings.promotion == "proof",
        prefix=lambda: discord.bot.prefix,
    )
    backups = NightlyBackup(
        storage.database_file,
        settings.backups_dir,
        keep=settings.keep_backups,
        reports=reports,
        metrics=operations.metrics,
    )
    retention = Retention(storage.database, home=settings.home, days=settings.retention_days)

    def due_at() -> datetime:
        return nightly.due_at(datetime.now(UTC))

    nightly_run = NightlyRun(runs, reports, rollback, retention, backups, due_at if several else None)
    nightly = NightlySchedule(
        lambda: operations.background.supervisor.once("nightly run", nightly_run.run),
        at=settings.nightly_at,
        zone=settings.zone,
    )
    forgetting = Forgetting(
        settings,
        storage.database,
        storage.registry,
        predictor=inference.predictor,
        follower=inference.follower,
        runs=runs,
        reports=reports,
        backups=backups,
    )
    tasks = LeaderTasks(
        bot=discord.bot,
        database=storage.database,
        registry=storage.registry,
        background=operations.background,
        runs=runs,
        rollback=rollback,
        proof=proof,
        announcements=announcing.announcements,
        forgetting=forgetting,
        nightly=nightly,
        rollback_check_every_s=settings.rollback_check_every_s,
        is_shared=several,
    )
    leader = LeaderElection(settings, operations.background, tasks)
    if several:
        operations.readiness.among_others = lambda: {"shards": str(settings.shards), "leader": leader.where}
    return Scheduled(nightly_run, nightly, rollback, decisions, proof, backups, forgetting, leader)


def build_voting(
    settings: Settings,
    storage: Storage,
    inference: Inference,
    discord: Discord,
    operations: Operations,
) -> Voting:
    """Build what answers queries and records votes."""
    in_flight = InFlight()
    query_handler = QueryHandler(
        inference.predictor,
        storage.database,
        storage.write_queue,
        ThumbSeeding(operations.background, discord.bot.shedding.rate_limiter),
        in_flight,
        settings,
        prefix=lambda: discord.bot.prefix,
    )
    reconcile = Reconcile(
        discord.bot,
        storage.database,
        storage.write_queue,
        offer_thumbs=query_handler.offer_thumbs,
        max_age=timedelta(days=settings.reconcile_days),
        max_replies=settings.reconcile_replies,
        # A sandbox starts empty: no message from before its start exists.
        since=datetime.now(UTC) if discord.endpoint.sandbox else None,
    )
    acknowledgement = VoteAcknowledgement(
        discord.bot, storage.database, discord.bot.shedding, operations.background
    )
    return Voting(query_handler, reconcile, in_flight, acknowledgement)
