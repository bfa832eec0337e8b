"""A query, from being asked to its reply with menus and thumbs: what `!fill` does, and whatever else asks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypedDict

import discord
import structlog

from bot.answering.in_flight import InFlight
from bot.answering.predictor import Predictor
from bot.answering.queries import Query, parse_query
from bot.answering.thumb_seeding import ThumbSeeding
from bot.answering.vote_adjustment import ShownPrediction, adjust, rejected_words
from bot.answering.write_queue import WriteQueue
from bot.embeds.replies import prediction_embed, promises_thumbs
from bot.voting.menus import rating_view, words_for_each
from storage.database import Database
from storage.votes.consensus import QueryVote, votes_on_query
from storage.votes.predictions import NewPrediction, StoredCandidate

log = structlog.stdlib.get_logger(__name__)
Send = Callable[[discord.Embed, discord.ui.View], Awaitable[discord.Message]]


@dataclass(frozen=True, slots=True)
class QueryOrigin:
    """Who asked, and where; `guild_id` is None in a direct message.

    `quiz_at` is when the quiz began that asks in this person's name; None: the person typed it.
    `may_react` is whether the bot may add reactions there.
    """

    asker_id: int
    channel_id: int
    guild_id: int | None
    quiz_at: datetime | None = None
    may_react: bool = True


class _Rules(TypedDict):
    """How votes are laid over a prediction."""

    min_voters: int
    half_life_days: float
    now: datetime


class QueryHandler:
    """Answers queries: predict, let the votes count, store, reply, offer the thumbs."""

    def __init__(
        self,
        predictor: Predictor,
        database: Database,
        write_queue: WriteQueue,
        thumbs: ThumbSeeding,
        in_flight: InFlight,
        *,
        prefix: str,
        max_chars: int,
        max_masks: int,
        shown_words: int,
        min_voters: int,
        half_life_days: float,
    ) -> None:
        """Take what answering needs."""
        self._predictor, self._database, self._write_queue = predictor, database, write_queue
        self._thumbs, self._in_flight = thumbs, in_flight
        self._prefix, self._max_chars, self._max_masks = prefix, max_chars, max_masks
        self._shown_words = shown_words
        self._min_voters, self._half_life_days = min_voters, half_life_days

    def parse(self, text: str) -> Query:
        """What a person typed, as a query.

        Raises:
            QueryError: it cannot be answered; the text says what to change.
        """
        return parse_query(text, max_chars=self._max_chars, max_masks=self._max_masks, prefix=self._prefix)

    async def shown(self, query: Query) -> tuple[ShownPrediction, float]:
        """What the champion says, with the votes on this very sentence in it; and the milliseconds it took.

        Raises:
            QueryTooLongError: more word pieces than the model reads.
            BusyError: too many queries wait.
        """
        prediction, votes = await asyncio.gather(self._predictor.predict(query.text), self._votes_on(query))
        rules = _Rules(
            min_voters=self._min_voters, half_life_days=self._half_life_days, now=datetime.now(UTC)
        )
        most = words_for_each(len(prediction.masks), shown_words=self._shown_words)
        shown = adjust(prediction, votes, shown=most, **rules)
        if not prediction.sentences or shown.sentences:
            return shown, prediction.latency_ms
        # Every sentence that was found has a rejected word: look for others, as a 👎 rejects a word a mask.
        others = await self._predictor.predict(query.text, unsaid=rejected_words(votes, **rules))
        shown = replace(adjust(others, votes, shown=most, **rules), votes=shown.votes)
        return shown, prediction.latency_ms + others.latency_ms

    async def reply(self, query: Query, origin: QueryOrigin, send: Send) -> discord.Message:
        """Answer a query: it is stored before `send` is called with the reply. Returns what that returned.

        Raises:
            QueryTooLongError, BusyError: as `shown`.
        """
        shown, latency_ms = await self.shown(query)
        row = _row(query, origin, shown, latency_ms=latency_ms)
        prediction_id = await self._write_queue.record(row)
        has_thumbs = origin.may_react and self._thumbs.reserve(origin.channel_id)
        embed = prediction_embed(
            query.text,
            shown,
            prediction_id=prediction_id,
            has_thumbs=has_thumbs,
            is_private=query.text != query.stored,
        )
        words = [(mask, one.word) for mask, ranked in enumerate(shown.masks) for one in ranked]
        try:
            with self._in_flight.sending(origin.channel_id):
                reply = await send(embed, rating_view(prediction_id, words))
                await self._write_queue.attach(prediction_id, reply.id)
        except BaseException:
            if has_thumbs:
                self._thumbs.release(origin.channel_id)
            raise
        log.info(
            "fill.answered",
            prediction_id=prediction_id,
            model_version=shown.model_version,
            latency_ms=round(latency_ms, 1),
            adjusted_by=shown.votes,
        )
        if has_thumbs:
            self._thumbs.seed(reply, origin.channel_id)
        return reply

    def offer_thumbs(self, reply: discord.Message) -> None:
        """Put both thumbs under a reply that has none, in the background, if it says that they rate."""
        channel_id = reply.channel.id
        if promises_thumbs(reply) and self._thumbs.reserve(channel_id):
            self._thumbs.seed(reply, channel_id)

    async def _votes_on(self, query: Query) -> list[QueryVote]:
        """The votes on this very sentence."""
        # Where personal data was replaced, another sentence is stored alike: its votes are not for this one.
        return await votes_on_query(self._database, query.hash) if query.text == query.stored else []


def _row(query: Query, origin: QueryOrigin, shown: ShownPrediction, *, latency_ms: float) -> NewPrediction:
    return NewPrediction(
        guild_id=origin.guild_id,
        channel_id=origin.channel_id,
        asker_id=origin.asker_id,
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
        quiz_at=origin.quiz_at,
    )
