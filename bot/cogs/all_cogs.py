"""Builds all cogs from the parts of the app."""

from discord.ext import commands

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
from bot.wiring import Parts


def all_cogs(parts: Parts) -> list[commands.Cog]:
    """Build one cog of each class."""
    settings, bot, runs = parts.settings, parts.discord.bot, parts.runs
    database, registry = parts.storage.database, parts.storage.registry
    inference, voting, scheduled, announcing = (
        parts.inference,
        parts.voting,
        parts.scheduled,
        parts.announcing,
    )
    metrics, background = parts.operations.metrics, parts.operations.background
    return [
        Fill(voting.query_handler, bot.shedding, metrics=metrics),
        Edits(bot, database),
        Rating(bot, database, inference.predictor, voting.in_flight, background, metrics=metrics),
        Votes(
            bot, database, voting.write_queue, voting.in_flight, reconcile=voting.reconcile, metrics=metrics
        ),
        Models(
            bot,
            registry=registry,
            database=database,
            follower=inference.follower,
            runs=runs,
            announcements=announcing.announcements,
            background=background,
            nightly=scheduled.nightly,
            rollback=scheduled.rollback,
        ),
        Charts(
            bot,
            settings=settings,
            registry=registry,
            database=database,
            follower=inference.follower,
            verdicts=announcing.verdicts,
            pictures=announcing.pictures,
        ),
        Quiz(bot, database, voting.query_handler, voting.in_flight, settings=settings),
        Insight(
            bot,
            database,
            voting.query_handler,
            predictor=inference.predictor,
            registry=registry,
            settings=settings,
        ),
        Privacy(bot, database, scheduled.forgetting, background, settings=settings),
        Help(bot),
    ]
