"""All cogs, each with what it needs."""

from dataclasses import dataclass

from discord.ext import commands

from bot.announcements.announcer import Announcements
from bot.announcements.report_channel import Reports
from bot.announcements.verdicts import Verdicts
from bot.answering.answers import Answering
from bot.answering.champion import Serving
from bot.answering.in_flight import Pending
from bot.answering.load_shedding import LoadShedding
from bot.answering.predictor import Predictor
from bot.answering.write_queue import Recorder
from bot.background import Background
from bot.client import FillBot
from bot.cogs.charts import Charts
from bot.cogs.edits import Edits
from bot.cogs.fill import Fill
from bot.cogs.help import Help
from bot.cogs.insight import Insight
from bot.cogs.models import Models
from bot.cogs.privacy import Privacy
from bot.cogs.quiz import Quiz
from bot.cogs.rating import Rating
from bot.cogs.votes import Votes
from bot.operations.metrics import Metrics
from bot.privacy.forgetting import Forgetting
from bot.runs.automatic_rollback import Watch
from bot.runs.schedule import Nightly
from bot.runs.training_runs import Runs
from bot.settings import Settings
from bot.subprocesses.charts import Pictures
from bot.voting.reconcile import Reconcile
from storage.database import Database
from training.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class Parts:
    """What the app is made of; `app.py` builds it."""

    settings: Settings
    bot: FillBot
    database: Database
    registry: Registry
    predictor: Predictor
    serving: Serving
    runs: Runs
    verdicts: Verdicts
    announcements: Announcements
    reports: Reports
    watch: Watch
    nightly: Nightly
    recorder: Recorder
    reconcile: Reconcile
    background: Background
    pending: Pending
    shedding: LoadShedding
    metrics: Metrics
    forgetting: Forgetting
    pictures: Pictures
    answering: Answering


def all_cogs(parts: Parts) -> list[commands.Cog]:
    """One of each."""
    return [
        Fill(parts.answering, parts.pending, parts.shedding, metrics=parts.metrics),
        Edits(parts.bot, parts.database),
        Rating(
            parts.bot,
            parts.database,
            parts.predictor,
            parts.pending,
            parts.background,
            metrics=parts.metrics,
        ),
        Votes(
            parts.bot,
            parts.database,
            parts.recorder,
            parts.pending,
            reconcile=parts.reconcile,
            metrics=parts.metrics,
        ),
        Models(
            parts.bot,
            registry=parts.registry,
            database=parts.database,
            serving=parts.serving,
            runs=parts.runs,
            announcements=parts.announcements,
            background=parts.background,
            nightly=parts.nightly,
            watch=parts.watch,
        ),
        Charts(
            parts.bot,
            settings=parts.settings,
            registry=parts.registry,
            database=parts.database,
            serving=parts.serving,
            verdicts=parts.verdicts,
            pictures=parts.pictures,
        ),
        Quiz(
            parts.bot,
            parts.database,
            parts.answering,
            parts.pending,
            parts.shedding,
            settings=parts.settings,
        ),
        Insight(
            parts.bot,
            parts.database,
            parts.answering,
            predictor=parts.predictor,
            registry=parts.registry,
            settings=parts.settings,
        ),
        Privacy(parts.bot, parts.database, parts.forgetting, parts.background, settings=parts.settings),
        Help(parts.bot),
    ]
