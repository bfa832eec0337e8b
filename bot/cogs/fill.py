"""`!fill`: ask, store, answer, then offer the thumbs."""

import asyncio
from datetime import UTC, datetime

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.background import Background
from bot.client import Context, FillBot, answer, command
from bot.crowd import Crowd
from bot.errors import BusyError
from bot.metrics import Metrics
from bot.overlay import ShownPrediction, overlay
from bot.pending import Pending
from bot.predictor import Predictor
from bot.queries import Query, parse_query
from bot.recorder import Recorder
from bot.replies import prediction_embed
from bot.texts import say
from storage.consensus import QueryVote, votes_on_query
from storage.database import Database
from storage.feedback import NewPrediction, StoredCandidate

log = structlog.stdlib.get_logger(__name__)
THUMBS = ("👍", "👎")
ASKS, ASKS_WITHIN_S = 30, 10  # of one person: a keen one is never stopped, a script is


class Fill(commands.Cog):
    """Fill the blanks of a sentence."""

    def __init__(
        self,
        bot: FillBot,
        predictor: Predictor,
        database: Database,
        recorder: Recorder,
        background: Background,
        pending: Pending,
        crowd: Crowd,
        *,
        metrics: Metrics,
        max_chars: int,
        max_masks: int,
        min_voters: int,
        half_life_days: float,
    ) -> None:
        """Take what answering needs."""
        self._bot, self._predictor = bot, predictor
        self._database, self._recorder = database, recorder
        self._background, self._pending, self._crowd = background, pending, crowd
        self._metrics = metrics
        self._max_chars, self._max_masks = max_chars, max_masks
        self._min_voters, self._half_life_days = min_voters, half_life_days

    @command("fill")
    @commands.cooldown(ASKS, ASKS_WITHIN_S, commands.BucketType.user)
    @app_commands.describe(text=say("commands.fill_text"))
    async def fill(self, context: Context, *, text: str) -> None:
        """Ask, store, answer; who is turned away is told."""
        try:
            with self._metrics.query(), self._crowd.answering():
                async with self._pending.handling():
                    await self._answer(context, text)
        except BusyError:
            if context.interaction or self._crowd.may_reply():  # an interaction must be answered
                raise
            self._crowd.tell_later(context.channel)

    async def _answer(self, context: Context, text: str) -> None:
        query = parse_query(
            text, max_chars=self._max_chars, max_masks=self._max_masks, prefix=self._bot.prefix
        )
        prediction, votes = await asyncio.gather(self._predictor.predict(query.text), self._votes_on(query))
        shown = overlay(
            prediction,
            votes,
            min_voters=self._min_voters,
            half_life_days=self._half_life_days,
            now=datetime.now(UTC),
        )
        row = _row(context, query, shown, latency_ms=prediction.latency_ms)
        prediction_id = await self._recorder.record(row)
        embed = prediction_embed(query.text, shown, prediction_id=prediction_id)
        with self._pending.sending(context.channel.id):
            reply = await answer(context, embed=embed)
            await self._recorder.attach(prediction_id, reply.id)
        log.info(
            "fill.answered",
            prediction_id=prediction_id,
            model_version=prediction.model_version,
            latency_ms=round(prediction.latency_ms, 1),
            adjusted_by=shown.votes,
        )
        # A reaction may be added about every 250 ms: the answer does not wait for that.
        self._background.start(_seed(reply), name="thumbs")

    async def _votes_on(self, query: Query) -> list[QueryVote]:
        """The votes on this very sentence."""
        # Where personal data was replaced, another sentence is stored alike: its votes are not for this one.
        return await votes_on_query(self._database, query.hash) if query.text == query.stored else []


def _row(context: Context, query: Query, shown: ShownPrediction, *, latency_ms: float) -> NewPrediction:
    return NewPrediction(
        guild_id=context.guild.id if context.guild else None,
        channel_id=context.channel.id,
        asker_id=context.author.id,
        query=query.stored,
        query_hash=query.hash,
        model_version=shown.model_version,
        latency_ms=latency_ms,
        created_at=datetime.now(UTC),
        candidates=tuple(
            StoredCandidate(mask_index, rank, candidate.word, candidate.score, shown.is_adjusted)
            for mask_index, mask in enumerate(shown.masks)
            for rank, candidate in enumerate(mask)
        ),
    )


async def _seed(reply: discord.Message) -> None:
    for thumb in THUMBS:
        try:
            await reply.add_reaction(thumb)
        except discord.NotFound:  # deleted meanwhile
            return
        except discord.Forbidden:
            log.warning("thumbs.forbidden", channel_id=reply.channel.id)
            return
