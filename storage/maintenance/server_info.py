"""What a server's database says of itself, without changing anything there."""

from sqlalchemy import text

from storage.database import Database
from storage.schema import metadata


async def describe_server(database: Database) -> str:
    """Where it is, its schema and its size, in a sentence.

    Raises:
        DatabaseUnavailableError: it cannot be reached or read.
    """
    async with database.read() as connection:
        if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return f"{database.where} answers, and holds nothing yet"
        revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        # By the server's own estimate: counting a hundred million rows takes it a minute.
        estimate = text("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(:name)")
        names = sorted(metadata.tables)
        rows = [f"{await connection.scalar(estimate, {'name': name})} {name}" for name in names]
        size = await connection.scalar(text("SELECT pg_database_size(current_database())"))
    return f"{database.where}: {size / 1e6:.1f} MB, schema {revision}, about {', '.join(rows)}"
