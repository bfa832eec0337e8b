"""Describe a database on a server without changing it."""

from sqlalchemy import text

from storage.database import Database
from storage.schema import metadata


async def describe_server(url: str) -> str:
    """Return a sentence with the database's location, size, schema and rows.

    Raises:
        DatabaseUnavailableError: The database cannot be reached or read.
    """
    database = Database.unmigrated(url)
    try:
        async with database.read() as connection:
            if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
                return f"{database.where}: reachable, but empty"
            revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            # The planner's estimate, as counting a hundred million rows takes a minute.
            estimate = text(
                "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(:name)"
            )
            names = sorted(metadata.tables)
            rows = [f"{await connection.scalar(estimate, {'name': name})} {name}" for name in names]
            size = await connection.scalar(text("SELECT pg_database_size(current_database())"))
        return f"{database.where}: {size / 1e6:.1f} MB, schema {revision}, about {', '.join(rows)}"
    finally:
        await database.close()
