"""The model versions that several machines share, and which of them are champion and domain model.

Their files are in object storage; a row appears once all of them are stored. Rows of deleted versions stay,
so that no number is used twice. On one machine the registry is a folder, and the table is empty.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backends.postgres import MODEL_LOCK, lock
from storage.backends.retries import retried_if_rolled_back
from storage.database import Database
from storage.schema import model_versions

ALL = select(model_versions).order_by(model_versions.c.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A row of the table; see `storage.schema`."""

    number: int
    kind: str | None = None
    folder: str | None = None
    card_hash: str | None = None
    created_at: datetime
    is_champion: bool = False
    is_domain: bool = False
    moved_at: datetime | None = None
    moved_by: str | None = None
    withdrawn_at: datetime | None = None
    deleted_at: datetime | None = None
    revision: int = 0


Decide = Callable[[Sequence[ModelVersion]], Iterable[ModelVersion]]


async def read_model_versions(database: Database) -> list[ModelVersion]:
    """Return all rows, oldest version first."""
    return [ModelVersion(**row._mapping) for row in await database.fetch(ALL)]


@retried_if_rolled_back
async def change_model_versions(database: Database, decide: Decide) -> list[ModelVersion]:
    """Store the rows that `decide` derives from the current ones, in one transaction; other changes wait.

    Args:
        database: An open database.
        decide: Gets all rows and returns those that are new or changed. If it raises, nothing is changed.

    Returns:
        All rows after the change.
    """
    async with database.write() as connection:
        await lock(connection, MODEL_LOCK)
        before = await _rows(connection)
        changed = list(decide(before))
        if not changed:
            return before
        revision = max(row.revision for row in (*before, *changed)) + 1
        numbers = [row.number for row in changed]
        await connection.execute(delete(model_versions).where(model_versions.c.number.in_(numbers)))
        stored = [asdict(replace(row, revision=revision)) for row in changed]
        await connection.execute(insert(model_versions), stored)
        return await _rows(connection)


async def _rows(connection: AsyncConnection) -> list[ModelVersion]:
    return [ModelVersion(**row) for row in (await connection.execute(ALL)).mappings()]
