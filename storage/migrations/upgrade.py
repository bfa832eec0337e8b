"""Bring a database to the newest schema."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from storage.errors import DatabaseTooNewError

VERSIONS = Path(__file__).with_name("versions")


def newest_revision() -> str:
    """Return the revision of the last migration: the number that its file's name begins with."""
    return max(path.name[:4] for path in VERSIONS.glob("[0-9]*.py"))


def upgrade(connection: Connection, where: str) -> None:
    """Apply the migrations that the database lacks.

    Args:
        connection: a connection in a transaction.
        where: the name of the database, for the error.

    Raises:
        DatabaseTooNewError: The schema is newer than this code.
    """
    if _revision(connection) == newest_revision():
        return  # nearly every start: importing Alembic takes a fifth of a second
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseTooNewError(where) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
