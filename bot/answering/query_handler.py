"""Answers a query, from its text to the reply with its menus and thumbs; `!fill` and `!quiz` use it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self, TypeVar

import discord
import structlog

from bot.answering.in_flight import InFlight
from bot.answering.predictor import CANDIDATES, Challenger, Prediction, Predictor
from bot.answering.queries import Query, parse_query
from bot.answering.thumb_seeding import ThumbSeeding
from bot.answering.vote_adjustment import ShownPrediction, VoteRules, adjust, following, rejected_words
from bot.answering.write_queue import WriteQueue
from bot.commands.context import Context, may_react
from bot.embeds.replies import prediction_embed, promises_thumbs
from bot.errors import BotError, NoMoreWordsError
from bot.proof.answers import together
from bot.settings import Settings
from bot.voting.menus import rating_view, words_for_each
from storage.database import Database
from storage.votes.consensus import QueryVote, votes_on_query
from storage.votes.predictions import NewPrediction, ShownWord, StoredCandidate
from training.errors import TrainingError

log = structlog.stdlib.get_logger(__name__)
# While more queries than this wait for a model, the champion answers alone.
MAX_WAITING = 4
T = TypeVar("T")
Send = Callable[[discord.Embed, discord.ui.View], Awaitable[discord.Message]]


@dataclass(frozen=True, slots=True)
class QueryOrigin:
    """Who asked a query, and where.

    Attributes:
        asker_id: The person.
        channel_id: The channel that gets the reply.
        guild_id: None in a direct message.
        quiz_at: When the quiz began that asks this query; None where the person typed it.
        may_react: Whether the bot may add reactions there.
        is_interaction: Whether the reply answers a slash command or a button.
        author_id: The person who wrote the sentence; None if that is the asker.
    """

    asker_id: int
    channel_id: int
    guild_id: int | None
    quiz_at: datetime | None = None
    may_react: bool = True
    is_interaction: bool = False
    author_id: int | None = None

    @classmethod
    def of(cls, context: Context, *, quiz_at: datetime | None = None, author_id: int | None = None) -> Self:
        """Return the author and the place of a command."""
        return cls(
            context.author.id,
            context.channel.id,
            context.guild.id if context.guild else None,
            quiz_at=quiz_at,
            may_react=may_react(context),
            is_interaction=context.interaction is not None,
            author_id=author_id,
        )


class QueryHandler:
    """Answers queries: predict, adjust by votes, store, reply, add the thumbs."""

    def __init__(
        self,
        predictor: Predictor,
        database: Database,
        write_queue: WriteQueue,
        thumbs: ThumbSeeding,
        in_flight: InFlight,
        settings: Settings,
        *,
        prefix: Callable[[], str],
    ) -> None:
        self._predictor, self._database, self._write_queue = predictor, database, write_queue
        self._thumbs, self._in_flight, self._settings = thumbs, in_flight, settings
        self._prefix = prefix

    def parse(self, text: str) -> Query:
        """Parse what a person typed.

        Raises:
            QueryError: It cannot be answered; the text says what to change.
        """
        settings = self._settings
        return parse_query(
            text,
            max_chars=settings.max_query_chars,
            max_masks=settings.max_masks,
            prefix=self._prefix(),
        )

    async def predict(self, query: Query) -> tuple[ShownPrediction, float]:
        """Return the prediction, adjusted by the votes on the same query, and its latency in ms.

        While a proof is open, its words are drawn from the champion's and the challenger's.

        Raises:
            QueryTooLongError: It has more word pieces than the model reads.
            BusyError: Too many queries wait.
        """
        challenger = self._free_challenger()
        prediction, second, votes = await asyncio.gather(
            self._predictor.predict(query.text),
            _second_opinion(challenger, lambda one: one.predict(query.text)),
            self.votes_on(query),
        )
        shown, latency_ms = await self._adjusted(self._predictor, query, prediction, votes)
        if challenger is None or second is None or prediction.model_version != challenger.champion:
            return shown, latency_ms
        opinion = await _second_opinion(challenger, lambda one: self._adjusted(one, query, second, votes))
        if opinion is None:
            return shown, latency_ms
        other, other_ms = opinion
        return together(shown, other, coin=_fair_coin), max(latency_ms, other_ms)

    def _free_challenger(self) -> Challenger | None:
        """Return the version that answers together with the champion; None while too many queries wait."""
        challenger = self._predictor.challenger
        if challenger is None or self._predictor.waiting + challenger.predictor.waiting > MAX_WAITING:
            return None
        return challenger

    async def _adjusted(
        self, predictor: Predictor, query: Query, prediction: Prediction, votes: Sequence[QueryVote]
    ) -> tuple[ShownPrediction, float]:
        """Return a predictor's prediction, adjusted by votes, and its latency in ms."""
        rules = VoteRules.of(self._settings)
        most = words_for_each(len(prediction.masks), shown_words=self._settings.shown_words)
        preferred = self._predictor.preferred
        shown = adjust(prediction, votes, rules, shown=most, preferred=preferred)
        if not prediction.sentences or shown.sentences:
            return shown, prediction.latency_ms
        # Each sentence has a rejected word: search again without those words.
        others = await predictor.predict(query.text, unsaid=rejected_words(votes, rules))
        second = adjust(others, votes, rules, shown=most, preferred=preferred)
        shown = replace(second, votes=shown.votes)
        return shown, prediction.latency_ms + others.latency_ms

    async def rejected(self, query: Query) -> frozenset[tuple[int, str]]:
        """Return the words, each with its mask, that the votes on this very query keep from being shown."""
        return rejected_words(await self.votes_on(query), VoteRules.of(self._settings))

    async def predict_further(
        self, query: Query, shown: Collection[ShownWord]
    ) -> tuple[ShownPrediction, float]:
        """Return the words that follow those shown for each mask, as `predict` returns the best ones.

        Raises:
            NoMoreWordsError: No candidate is left for a mask.
        """
        prediction, votes = await asyncio.gather(self._predictor.predict(query.text), self.votes_on(query))
        most = words_for_each(len(prediction.masks), shown_words=self._settings.shown_words)
        rules, preferred = VoteRules.of(self._settings), self._predictor.preferred
        ranked = adjust(prediction, votes, rules, shown=CANDIDATES, preferred=preferred)
        masks = tuple(
            following(
                ranked_words,
                {one.word for one in shown if one.mask_index == mask},
                own={
                    one.word
                    for one in shown
                    if one.mask_index == mask and one.model_version == ranked.model_version
                },
            )[:most]
            for mask, ranked_words in enumerate(ranked.masks)
        )
        if not all(masks):
            raise NoMoreWordsError
        return replace(ranked, masks=masks, sentences=()), prediction.latency_ms

    async def reply(
        self, text: str, origin: QueryOrigin, send: Send, *, shown_before: Collection[ShownWord] = ()
    ) -> discord.Message:
        """Answer the query that a person typed; return the reply that `send` sent.

        The prediction is stored before `send` is called. If words were shown before, the reply has those that
        follow.

        Raises:
            QueryError, QueryTooLongError: The query cannot be answered.
            BusyError: Too many queries are in flight.
        """
        async with self._in_flight.query_slot() as release_slot:
            query = self.parse(text)
            if shown_before:
                shown, latency_ms = await self.predict_further(query, shown_before)
            else:
                shown, latency_ms = await self.predict(query)
            row = _row(query, origin, shown, latency_ms=latency_ms)
            prediction_id = await self._write_queue.record(row)
            # A message may wait for seconds until its channel takes it; an interaction's reply does not.
            if not origin.is_interaction:
                release_slot()
            return await self._send(
                query, origin, send, shown, prediction_id, latency_ms, is_further=bool(shown_before)
            )

    async def _send(
        self,
        query: Query,
        origin: QueryOrigin,
        send: Send,
        shown: ShownPrediction,
        prediction_id: int,
        latency_ms: float,
        *,
        is_further: bool,
    ) -> discord.Message:
        has_thumbs = origin.may_react and self._thumbs.reserve(origin.channel_id)
        embed = prediction_embed(
            query.text,
            shown,
            prediction_id=prediction_id,
            has_thumbs=has_thumbs,
            is_private=query.is_private,
            is_further=is_further,
        )
        words = [(mask, one.word) for mask, ranked in enumerate(shown.masks) for one in ranked]
        try:
            with self._in_flight.sending_reply(origin.channel_id):
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
        """Add both thumbs to a reply in the background, if its footer tells people to use them."""
        channel_id = reply.channel.id
        if promises_thumbs(reply) and self._thumbs.reserve(channel_id):
            self._thumbs.seed(reply, channel_id)

    async def votes_on(self, query: Query) -> list[QueryVote]:
        """Return the votes on a query, with the words as the current version spells them.

        They may have been cast on a version with another base model, or imported.
        """
        if query.is_private:
            return []
        votes = await votes_on_query(self._database, query.hash)
        return [replace(vote, word=self._predictor.spelling(vote.word)) for vote in votes]


async def _second_opinion(
    challenger: Challenger | None, ask: Callable[[Predictor], Awaitable[T]]
) -> T | None:
    """Return what the challenger answers; None if there is no challenger, or it fails or stops meanwhile."""
    if challenger is None:
        return None
    try:
        return await ask(challenger.predictor)
    except (BotError, TrainingError, RuntimeError, MemoryError) as error:
        log.warning("challenger.failed", model_version=challenger.version, reason=str(error))
    except asyncio.CancelledError:  # its queue was closed, because the proof ended
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
    return None


def _fair_coin() -> bool:
    return secrets.randbits(1) == 1


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
            StoredCandidate(
                mask_index,
                rank,
                candidate.word,
                candidate.score,
                shown.is_adjusted,
                candidate.model_version,
            )
            for mask_index, mask in enumerate(shown.masks)
            for rank, candidate in enumerate(mask)
        ),
        quiz_at=origin.quiz_at,
        author_id=origin.author_id,
    )
