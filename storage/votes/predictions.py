"""Predictions and the votes on them. Thumbs are in `storage.votes.reactions`."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, case, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backends.postgres import insert_into, lock_votes_shared
from storage.backends.retries import retried
from storage.database import Database
from storage.schema import candidates, predictions, votes
from storage.votes.standing import OLDEST_FIRST, VOTE_COLUMNS, Vote, is_opted_in

RECENT_QUERIES = 200
DEFAULT_WEIGHT = 1.0  # of a vote, where no role of its voter has another one
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class StoredCandidate:
    """A candidate for one mask.

    `score` is the model's probability, in [0, 1], without votes; `model_version` is the version that brought
    the word where two versions answered together, and None for a word that both brought.
    """

    mask_index: int
    rank: int
    word: str
    score: float
    adjusted: bool = False
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class NewPrediction:
    """A prediction to store.

    `guild_id` is None in a direct message, `quiz_at` outside a quiz, and `author_id` where the asker wrote
    the text.
    """

    guild_id: int | None
    channel_id: int
    asker_id: int
    query: str
    query_hash: str
    model_version: str
    latency_ms: float
    created_at: datetime
    candidates: tuple[StoredCandidate, ...]
    quiz_at: datetime | None = None
    author_id: int | None = None


@dataclass(frozen=True, slots=True)
class ShownWord:
    """A word of a reply, and the version that brought it; of a word that two brought, the reply's version."""

    mask_index: int
    word: str
    model_version: str


@dataclass(frozen=True, slots=True)
class ShownQuery:
    """A query as a reply shows it.

    Attributes:
        query: The stored text.
        words: The offered words, best first within each mask.
        channel_id: The channel of the reply.
        author_id: Who wrote the text; None if that is not known.
        is_of_quiz: Whether a quiz asked it.
    """

    query: str
    words: tuple[ShownWord, ...]
    channel_id: int
    author_id: int | None
    is_of_quiz: bool


@dataclass(frozen=True, slots=True)
class StoredVote(Vote):
    """A vote as it is stored.

    `thumbs` holds the thumbs of a reaction, as `storage.votes.reactions` encodes them; `drawn_at` is when the
    message of a menu was last edited, by Discord's clock; `weight` is how much the vote counts by the roles
    that the voter had when it was cast; `reason` is why a word was bad, if the voter said so.
    """

    thumbs: str | None = None
    drawn_at: datetime | None = None
    weight: float = DEFAULT_WEIGHT
    reason: str | None = None


@retried
async def record_predictions(database: Database, new: Sequence[NewPrediction]) -> list[int]:
    """Store predictions with their candidates in one transaction; return their ids in order."""
    columns = [column.name for column in predictions.columns if column.name in NewPrediction.__slots__]
    async with database.write() as connection:
        result = await connection.execute(
            insert(predictions).returning(predictions.c.id, sort_by_parameter_order=True),
            [{name: getattr(one, name) for name in columns} for one in new],
        )
        ids = list(result.scalars())
        rows = [
            {"prediction_id": prediction_id, **asdict(candidate)}
            for prediction_id, one in zip(ids, new, strict=True)
            for candidate in one.candidates
        ]
        if rows:
            await connection.execute(insert(candidates), rows)
    return ids


async def attach_messages(database: Database, messages: Mapping[int, int]) -> None:
    """Store the replies of predictions; `messages` maps prediction to message."""
    statement = (
        update(predictions)
        # A reply may be detached while another process searches for it.
        .where(predictions.c.id == bindparam("prediction"), predictions.c.deleted_at.is_(None))
        .values(message_id=bindparam("message"))
    )
    # In order, as in `upsert_votes`, to avoid deadlocks.
    rows = [
        {"prediction": prediction, "message": message} for prediction, message in sorted(messages.items())
    ]
    await database.execute(statement, rows)


async def adopt_message(database: Database, prediction_id: int, message_id: int) -> bool:
    """Store the reply of a prediction, if none is stored yet. Returns whether it was stored."""
    is_missing = predictions.c.message_id.is_(None), predictions.c.deleted_at.is_(None)
    statement = update(predictions).where(predictions.c.id == prediction_id, *is_missing)
    return bool(await database.execute(statement.values(message_id=message_id)))


@retried
async def detach_reply(database: Database, message_id: int, *, now: datetime) -> bool:
    """Detach a reply from its prediction, which counts as deleted, so that the reply can show another one.

    Returns:
        False if the prediction has votes; nothing changes then.
    """
    async with database.write() as connection:
        await lock_votes_shared(connection)
        of_message = votes.c.prediction_id.in_(_ids_of_message(message_id))
        if await connection.scalar(select(exists().where(of_message))):
            return False
        await connection.execute(
            update(predictions)
            .where(predictions.c.message_id == message_id)
            .values(message_id=None, deleted_at=now)
        )
    return True


async def prediction_of_message(database: Database, message_id: int) -> int | None:
    """Return the id of the prediction that a reply shows; None for other messages."""
    found: int | None = await database.fetch_value(_ids_of_message(message_id))
    return found


async def query_of(database: Database, prediction_id: int) -> tuple[str, str] | None:
    """Return the query of a prediction and its hash; None if it does not exist."""
    wanted = select(predictions.c.query, predictions.c.query_hash).where(predictions.c.id == prediction_id)
    row = await database.fetch_first(wanted)
    return None if row is None else (row.query, row.query_hash)


async def recent_queries(database: Database, asker_id: int) -> list[str]:
    """Return the queries that a person asked in their own words, newest first and each once."""
    statement = (
        select(predictions.c.query, predictions.c.query_hash)
        .where(
            predictions.c.asker_id == asker_id,
            predictions.c.author_id.is_(None),
            predictions.c.quiz_at.is_(None),
        )
        .order_by(predictions.c.id.desc())
        .limit(RECENT_QUERIES)
    )
    newest: dict[str, str] = {}
    for row in await database.fetch(statement):
        newest.setdefault(row.query_hash, row.query)
    return list(newest.values())


async def shown_query(
    database: Database, *, message_id: int | None = None, prediction_id: int | None = None
) -> ShownQuery | None:
    """Return what a reply or a prediction shows; None if it does not exist or was deleted."""
    known = (
        predictions.c.id == prediction_id if message_id is None else predictions.c.message_id == message_id
    )
    statement = (
        select(
            predictions,
            candidates.c.mask_index,
            candidates.c.word,
            func.coalesce(candidates.c.model_version, predictions.c.model_version).label("brought_by"),
        )
        .join(candidates, candidates.c.prediction_id == predictions.c.id)
        .where(known, predictions.c.deleted_at.is_(None))
        .order_by(candidates.c.mask_index, candidates.c.rank)
    )
    rows = await database.fetch(statement)
    if not rows:
        return None
    first = rows[0]
    return ShownQuery(
        query=first.query,
        words=tuple(ShownWord(row.mask_index, row.word, row.brought_by) for row in rows),
        channel_id=first.channel_id,
        author_id=first.asker_id if first.author_id is None else first.author_id,
        is_of_quiz=first.quiz_at is not None,
    )


@retried
async def cast_votes(database: Database, new: Sequence[StoredVote]) -> None:
    """Insert or replace votes; the key is (prediction, mask, word, voter, via)."""
    async with database.write() as connection:
        await lock_votes_shared(connection)
        await upsert_votes(connection, new)


async def mark_deleted(database: Database, message_ids: Iterable[int], deleted_at: datetime) -> int:
    """Mark replies as deleted in Discord; predictions and votes stay. Returns the number of replies."""
    shown = predictions.c.message_id.in_(list(message_ids)) & predictions.c.deleted_at.is_(None)
    return await database.execute(update(predictions).where(shown).values(deleted_at=deleted_at))


async def votes_until(
    database: Database,
    as_of: datetime,
    *,
    is_ordered: bool = True,
    chunk_rows: int = 50_000,
) -> AsyncIterator[dict[str, tuple[Any, ...]]]:
    """Read the votes cast up to `as_of` that count, with their queries, in chunks by column.

    The columns are those of `Vote`, then weight, query, query_hash, score, adjusted and model_version.
    `score` is None for a suggested word that was not offered; `adjusted` is true if votes had changed the
    reply.

    Args:
        database: The database.
        as_of: The time of the newest vote.
        is_ordered: Whether the oldest come first; else they come as the database reads them fastest.
        chunk_rows: The maximum size of a chunk.
    """
    of_prediction = candidates.c.prediction_id == votes.c.prediction_id
    # Not a join: a word offered twice would duplicate its votes, and grouping a million votes is slow.
    score = select(func.max(candidates.c.score)).where(
        of_prediction, candidates.c.mask_index == votes.c.mask_index, candidates.c.word == votes.c.word
    )
    statement: Select[Any] = (
        select(
            *VOTE_COLUMNS,
            votes.c.weight,
            predictions.c.query,
            predictions.c.query_hash,
            score.scalar_subquery().label("score"),
            exists().where(of_prediction, candidates.c.adjusted).label("adjusted"),
            predictions.c.model_version,
        )
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(votes.c.cast_at <= as_of, is_opted_in(votes.c.voter_id))
    )
    if is_ordered:
        statement = statement.order_by(*OLDEST_FIRST)
    async with database.read() as connection:
        result = await connection.stream(statement)
        async for rows in result.partitions(chunk_rows):
            yield dict(zip(result.keys(), zip(*rows, strict=True), strict=True))


async def count_votes(database: Database, *, since: datetime | None = None) -> int:
    """Count the votes of people who did not opt out, or those of them cast after `since`."""
    statement = select(func.count()).select_from(votes).where(is_opted_in(votes.c.voter_id))
    if since is not None:
        statement = statement.where(votes.c.cast_at > since)
    return int(await database.fetch_value(statement))


async def newest_vote_at(database: Database, *, until: datetime) -> datetime | None:
    """Return when the newest vote up to a time was cast, by people who did not opt out."""
    statement = select(func.max(votes.c.cast_at)).where(
        votes.c.cast_at <= until, is_opted_in(votes.c.voter_id)
    )
    found: datetime | None = await database.fetch_value(statement)
    return found


def _ids_of_message(message_id: int) -> Select[Any]:
    return select(predictions.c.id).where(predictions.c.message_id == message_id)


async def upsert_votes(connection: AsyncConnection, new: Sequence[StoredVote]) -> None:
    """Insert or replace votes in a transaction that holds `lock_votes_shared`."""
    if not new:
        return
    new = await _dated_after_earlier_votes(connection, new)
    statement = insert_into(connection, votes)
    statement = statement.on_conflict_do_update(
        index_elements=list(votes.primary_key.columns),
        set_={
            **{n: statement.excluded[n] for n in ("value", "cast_at", "thumbs", "drawn_at", "weight")},
            # A word that is chosen again for the same side keeps its reason.
            "reason": func.coalesce(
                statement.excluded.reason,
                case((votes.c.value == statement.excluded.value, votes.c.reason)),
            ),
        },
    )
    await connection.execute(statement, [asdict(vote) for vote in sorted(new, key=_key)])


def _key(vote: StoredVote) -> tuple[object, ...]:
    return vote.prediction_id, vote.mask_index, vote.word, vote.voter_id, vote.via


async def _dated_after_earlier_votes(
    connection: AsyncConnection, new: Sequence[StoredVote]
) -> list[StoredVote]:
    """Date each vote after its voter's earlier votes on the same word of the query.

    The clock may have been set back since, and the latest vote must stand.
    """
    newest: datetime | None = await connection.scalar(select(func.max(votes.c.cast_at)))
    if newest is None or newest <= min(vote.cast_at for vote in new):
        return list(new)
    other = predictions.alias()
    rows = await connection.execute(
        select(
            predictions.c.id, votes.c.mask_index, votes.c.word, votes.c.voter_id, func.max(votes.c.cast_at)
        )
        .join(other, other.c.query_hash == predictions.c.query_hash)
        .join(votes, votes.c.prediction_id == other.c.id)
        .where(
            predictions.c.id.in_({vote.prediction_id for vote in new}),
            votes.c.voter_id.in_({vote.voter_id for vote in new}),
        )
        .group_by(predictions.c.id, votes.c.mask_index, votes.c.word, votes.c.voter_id)
    )
    last: dict[tuple[object, ...], datetime] = {tuple(key): cast_at for *key, cast_at in rows}
    dated = []
    for vote in new:
        previous = last.get(_key(vote)[:4])
        dated.append(replace(vote, cast_at=previous + TICK) if previous and vote.cast_at < previous else vote)
    return dated
