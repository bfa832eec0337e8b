"""Queries for a person's quiz and their progress, derived from predictions and votes."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, Select, distinct, func, select, union

from storage.backends.retries import retried
from storage.database import Database
from storage.schema import candidates, predictions, votes
from storage.votes.consensus import QueryVote, counted_votes
from storage.votes.predictions import StoredCandidate
from storage.votes.shown_queries import is_shown_in
from storage.votes.sources import NOT_IMPORTED

WINDOW = 20_000  # newest replies to choose from; older queries are no longer asked
SENTENCES = 500  # maximum number of queries


@dataclass(frozen=True, slots=True)
class OpenSentence:
    """A query of other people that a person has neither asked nor skipped nor rated.

    Attributes:
        query: The text of the newest prediction in the readable channels.
        query_hash: The hash of the query.
        asked: How often it was asked in the readable channels.
        candidates: The candidates of the newest reply, best first within each mask.
        votes: The votes that count, oldest first.
    """

    query: str
    query_hash: str
    asked: int
    candidates: tuple[StoredCandidate, ...]
    votes: tuple[QueryVote, ...]


@dataclass(frozen=True, slots=True)
class QuizItem:
    """The newest query of a quiz; `message_id` is None while its reply is being sent."""

    prediction_id: int
    channel_id: int
    message_id: int | None
    quiz_at: datetime


@dataclass(frozen=True, slots=True)
class QuizProgress:
    """How many words and sentences a person rated."""

    words: int
    sentences: int


@retried
async def open_sentences(
    database: Database, person_id: int, *, channel_ids: Collection[int]
) -> list[OpenSentence]:
    """Return queries of these channels that a person could rate, newest first; see `is_shown_in`."""
    chosen = _chosen(person_id, channel_ids).subquery()
    newest = (
        select(predictions.c.id, predictions.c.query, chosen.c.query_hash, chosen.c.asked)
        .join(chosen, chosen.c.newest == predictions.c.id)
        .order_by(predictions.c.id.desc())
    )
    candidates_of = (
        select(candidates)
        .join(chosen, chosen.c.newest == candidates.c.prediction_id)
        .order_by(candidates.c.prediction_id, candidates.c.mask_index, candidates.c.rank)
    )
    votes_on = counted_votes().where(predictions.c.query_hash.in_(select(chosen.c.query_hash)))
    offered: dict[int, list[StoredCandidate]] = defaultdict(list)
    cast: dict[str, list[QueryVote]] = defaultdict(list)
    async with database.read() as connection:
        sentences = (await connection.execute(newest)).all()
        for prediction_id, *columns in await connection.execute(candidates_of):
            offered[prediction_id].append(StoredCandidate(*columns))
        for query_hash, *columns in await connection.execute(votes_on):
            cast[query_hash].append(QueryVote(*columns))
    return [
        OpenSentence(query, query_hash, asked, tuple(offered[prediction_id]), tuple(cast[query_hash]))
        for prediction_id, query, query_hash, asked in sentences
    ]


async def latest_item(database: Database, person_id: int) -> QuizItem | None:
    """Return the newest quiz item of a person; None before their first quiz."""
    statement = (
        select(predictions.c.id, predictions.c.channel_id, predictions.c.message_id, predictions.c.quiz_at)
        .where(predictions.c.asker_id == person_id, predictions.c.quiz_at.is_not(None))
        .order_by(predictions.c.id.desc())
        .limit(1)
    )
    row = await database.fetch_first(statement)
    return None if row is None else QuizItem(*row)


async def quiz_progress(database: Database, person_id: int, *, quiz_at: datetime) -> QuizProgress:
    """Count what a person rated in the quiz that started at `quiz_at`."""
    rated = (
        select(votes.c.prediction_id, votes.c.mask_index, votes.c.word)
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(
            votes.c.voter_id == person_id,
            predictions.c.asker_id == person_id,
            predictions.c.quiz_at == quiz_at,
        )
        .distinct()
        .subquery()
    )
    counts = select(func.count(), func.count(distinct(rated.c.prediction_id))).select_from(rated)
    return QuizProgress(*(await database.fetch(counts))[0])


async def known_hashes(database: Database, person_id: int) -> frozenset[str]:
    """Return the hashes of the queries that a person asked, skipped or rated."""
    return frozenset(row.query_hash for row in await database.fetch(select(_known(person_id).subquery())))


def _known(person_id: int) -> CompoundSelect[Any]:
    return union(
        select(predictions.c.query_hash).where(predictions.c.asker_id == person_id),
        select(predictions.c.query_hash)
        .join(votes, votes.c.prediction_id == predictions.c.id)
        .where(votes.c.voter_id == person_id),
    )


def _chosen(person_id: int, channel_ids: Collection[int]) -> Select[Any]:
    """Select the query hash, the newest prediction in these channels, and how often the query was asked."""
    known = _known(person_id)
    newest = func.max(predictions.c.id)
    ids = select(predictions.c.id).where(NOT_IMPORTED).order_by(predictions.c.id.desc())
    last_outside = ids.limit(1).offset(WINDOW).scalar_subquery()
    return (
        select(predictions.c.query_hash, newest.label("newest"), func.count().label("asked"))
        .where(
            predictions.c.id > func.coalesce(last_outside, 0),
            is_shown_in(channel_ids),
            predictions.c.query_hash.not_in(known),
        )
        .group_by(predictions.c.query_hash)
        .order_by(newest.desc())
        .limit(SENTENCES)
    )
