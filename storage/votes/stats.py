"""Voting statistics by hour, version, word and person, aggregated in SQL.

Votes of people who opted out are excluded. Every query reads only the votes of its period, by their index.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import String, case, cast, exists, func, select

from storage.database import Database
from storage.schema import candidates, predictions, votes
from storage.votes.approval import DOWN, UP, counted_since


@dataclass(frozen=True, slots=True)
class HourVotes:
    """The votes cast within the hour that starts at `hour_at`."""

    hour_at: datetime
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class VersionVotes:
    """The votes on the words that a model version offered."""

    version: str
    liked: int
    votes: int


@dataclass(frozen=True, slots=True)
class ContestedWord:
    """A word that people disagree on."""

    query: str
    mask_index: int
    word: str
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class TopVoter:
    """A voter; `agreed` counts the votes that agree with the majority of others on the same word."""

    user_id: int
    votes: int
    agreed: int


async def votes_by_hour(database: Database, *, since: datetime) -> list[HourVotes]:
    """Return the hours with votes, oldest first."""
    hour = func.substr(cast(votes.c.cast_at, String), 1, 13)  # 2026-03-01 12, on PostgreSQL in UTC sessions
    statement = counted_since(since, hour, UP, DOWN).group_by(hour).order_by(hour)
    rows = await database.fetch(statement)
    return [HourVotes(datetime.fromisoformat(at).replace(tzinfo=UTC), up, down) for at, up, down in rows]


async def votes_by_version(database: Database, *, since: datetime, most: int) -> list[VersionVotes]:
    """Return the newest versions with votes.

    As in `approval`, suggested words and replies that votes had adjusted are excluded.
    """
    adjusted = exists().where(candidates.c.prediction_id == votes.c.prediction_id, candidates.c.adjusted)
    statement = (
        counted_since(since, predictions.c.model_version, UP, func.count())
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(votes.c.via != "suggestion", ~adjusted)
        .group_by(predictions.c.model_version)
        .order_by(func.max(predictions.c.id).desc())
        .limit(most)
    )
    return [VersionVotes(*row) for row in await database.fetch(statement)]


async def contested_words(
    database: Database, *, since: datetime, channel_ids: Collection[int], most: int
) -> list[ContestedWord]:
    """Return the most contested word of each query of these channels, by votes of the minority."""
    statement = (
        counted_since(
            since,
            func.min(predictions.c.query),
            votes.c.mask_index,
            votes.c.word,
            UP,
            DOWN,
            predictions.c.query_hash,
        )
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        # Not a bare column: SQLite would start from the replies of a channel, not the votes of the period.
        .where(predictions.c.guild_id.is_not(None), (predictions.c.channel_id + 0).in_(channel_ids))
        .group_by(predictions.c.query_hash, votes.c.mask_index, votes.c.word)
        .having((UP > 0) & (DOWN > 0))
    )
    words = statement.subquery()
    up, down = words.c[3], words.c[4]
    contest = case((up < down, up), else_=down)
    place = func.row_number().over(
        partition_by=words.c.query_hash, order_by=(contest.desc(), (up + down).desc(), words.c.word)
    )
    ranked = select(*words.c, contest.label("contest"), place.label("place")).subquery()
    best = (
        select(*list(ranked.c)[:5])
        .where(ranked.c.place == 1)
        .order_by(ranked.c.contest.desc(), (ranked.c[3] + ranked.c[4]).desc(), ranked.c.query_hash)
        .limit(most)
    )
    return [ContestedWord(*row) for row in await database.fetch(best)]


async def top_voters(database: Database, *, since: datetime, most: int) -> list[TopVoter]:
    """Return the voters whom others agree with most, then those with most votes."""
    key = (predictions.c.query_hash, votes.c.mask_index, votes.c.word)
    said = (
        counted_since(
            since,
            *key,
            votes.c.voter_id,
            func.count().label("votes"),
            func.sum(votes.c.value).label("said"),
        )
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .group_by(*key, votes.c.voter_id)
        .subquery()
    )
    others = func.sum(said.c.said).over(partition_by=list(said.c)[:3]) - said.c.said
    against = select(said.c.voter_id, said.c.votes, said.c.said, others.label("others")).subquery()
    agreed = func.sum((against.c.said * against.c.others > 0).cast(votes.c.value.type) * against.c.votes)
    cast_votes = func.sum(against.c.votes)
    statement = (
        select(against.c.voter_id, cast_votes, agreed)
        .group_by(against.c.voter_id)
        .order_by(agreed.desc(), cast_votes.desc(), against.c.voter_id)
        .limit(most)
    )
    return [TopVoter(*map(int, row)) for row in await database.fetch(statement)]
