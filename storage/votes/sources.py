"""Imported judgements: sources whose words count like votes of one person, and are undone in one step.

A source is stored as a voter with a negative id, which no person on Discord has. Its sentences are
predictions without a server, which are never shown, and its words are votes of the kind `suggestion`, which
say nothing about a model version's approval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select

from storage.backends.postgres import ERASE_LOCK, VOTE_LOCK, lock
from storage.backends.retries import retried
from storage.database import Database
from storage.errors import SourceExistsError, UnknownSourceError
from storage.people.forgetting import drop_orphaned_queries
from storage.schema import people, predictions, sources, votes

IMPORTED = "import"  # in place of the model version
NOT_IMPORTED = predictions.c.model_version != IMPORTED
ROWS_AT_ONCE = 2_000
MAX_WEIGHT = 5.0  # as of a role
MAX_NAME = 60  # characters


@dataclass(frozen=True, slots=True)
class ImportedSentence:
    """A query, its hash, and its words: (mask index, word, whether it is wanted)."""

    query: str
    query_hash: str
    words: tuple[tuple[int, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A named source; `weight` is how much each of its words counts."""

    voter_id: int
    name: str
    weight: float
    imported_at: datetime


def is_source(voter_id: int) -> bool:
    """Whether a voter is an imported source instead of a person."""
    return voter_id < 0


async def list_sources(database: Database) -> list[Source]:
    """Return all sources, oldest first."""
    return [Source(*row) for row in await database.fetch(select(sources).order_by(sources.c.voter_id.desc()))]


@retried
async def import_sentences(
    database: Database, name: str, sentences: Sequence[ImportedSentence], *, weight: float, now: datetime
) -> Source:
    """Store the words of a new source in one transaction.

    Raises:
        SourceExistsError: A source of this name was imported before.
    """
    async with database.write() as connection:
        await lock(connection, VOTE_LOCK)
        if await connection.scalar(select(sources.c.voter_id).where(sources.c.name == name)) is not None:
            raise SourceExistsError(name)
        # Undoing deletes the people row with the reliability, so an id can be used again.
        lowest = await connection.scalar(select(func.min(sources.c.voter_id)))
        source = Source((lowest or 0) - 1, name, weight, now)
        await connection.execute(
            insert(sources),
            {"voter_id": source.voter_id, "name": name, "weight": weight, "imported_at": now},
        )
        for start in range(0, len(sentences), ROWS_AT_ONCE):
            some = sentences[start : start + ROWS_AT_ONCE]
            stored = await connection.execute(
                insert(predictions).returning(predictions.c.id, sort_by_parameter_order=True),
                [
                    {
                        "channel_id": 0,
                        "asker_id": source.voter_id,
                        "query": one.query,
                        "query_hash": one.query_hash,
                        "model_version": IMPORTED,
                        "latency_ms": 0.0,
                        "created_at": now,
                    }
                    for one in some
                ],
            )
            rows = [
                {
                    "prediction_id": prediction_id,
                    "mask_index": mask,
                    "word": word,
                    "voter_id": source.voter_id,
                    "via": "suggestion",
                    "value": 1 if is_wanted else -1,
                    "cast_at": now,
                    "weight": weight,
                }
                for prediction_id, one in zip(stored.scalars(), some, strict=True)
                for mask, word, is_wanted in one.words
            ]
            await connection.execute(insert(votes), rows)
    return source


@retried
async def undo_import(database: Database, name: str) -> int:
    """Delete a source with all its sentences and words, in one transaction. Returns the number of words.

    Raises:
        UnknownSourceError: There is no source of this name.
    """
    async with database.write() as connection:
        await lock(connection, ERASE_LOCK, VOTE_LOCK)
        voter_id = await connection.scalar(select(sources.c.voter_id).where(sources.c.name == name))
        if voter_id is None:
            known = (await connection.execute(select(sources.c.name).order_by(sources.c.name))).scalars()
            raise UnknownSourceError(name, ", ".join(known) or "–")
        words = await connection.execute(delete(votes).where(votes.c.voter_id == voter_id))
        await connection.execute(delete(predictions).where(predictions.c.asker_id == voter_id))
        await connection.execute(delete(people).where(people.c.user_id == voter_id))
        await connection.execute(delete(sources).where(sources.c.voter_id == voter_id))
        await connection.run_sync(drop_orphaned_queries)
    return words.rowcount
