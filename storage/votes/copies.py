"""Copy the votes on some queries into another database, of either backend."""

from collections.abc import Collection

from sqlalchemy import Table, insert, select
from sqlalchemy.sql.elements import ColumnElement

from storage.database import Database
from storage.schema import candidates, people, predictions, votes

QUERIES_AT_ONCE = 500  # bounds both the parameters of a statement and the rows in memory


async def voted_hashes(database: Database) -> list[str]:
    """Return the hashes of all queries with votes, in order."""
    statement = select(predictions.c.query_hash).join(votes).distinct().order_by(predictions.c.query_hash)
    async with database.read() as connection:
        return list((await connection.execute(statement)).scalars())


async def copy_votes(source: Database, target: Database, query_hashes: Collection[str]) -> None:
    """Copy predictions, candidates and votes of some queries, and what is known of all people.

    Ids stay as they are, so each query may be copied once.
    """
    await _copy(source, target, people, None)
    hashes = sorted(query_hashes)
    for start in range(0, len(hashes), QUERIES_AT_ONCE):
        chosen = predictions.c.query_hash.in_(hashes[start : start + QUERIES_AT_ONCE])
        of_chosen = select(predictions.c.id).where(chosen)
        await _copy(source, target, predictions, chosen)
        for table in (candidates, votes):
            await _copy(source, target, table, table.c.prediction_id.in_(of_chosen))


async def _copy(source: Database, target: Database, table: Table, where: ColumnElement[bool] | None) -> None:
    statement = select(table) if where is None else select(table).where(where)
    async with source.read() as connection:
        rows = [dict(row) for row in (await connection.execute(statement)).mappings()]
    if rows:
        async with target.write() as connection:
            await connection.execute(insert(table), rows)
