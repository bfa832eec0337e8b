"""Which database a test has: a SQLite file of its own, or a database of its own on a server of PostgreSQL.

`TEST_POSTGRES_URL`, the URL of a database to copy, asks for the second: `tests/on_postgres.py` sets it.
A place (the file that SQLite would have) always leads to the same database, in every process.
"""

import asyncio
import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.command import upgrade
from alembic.config import Config
from sqlalchemy import create_engine, make_url

from storage.backends.sqlite import APPLICATION_ID

T = TypeVar("T")
TEMPLATE = os.environ.get("TEST_POSTGRES_URL", "")
of_sqlite = pytest.mark.skipif(bool(TEMPLATE), reason="of SQLite alone: it is about its files")
of_postgres = pytest.mark.skipif(not TEMPLATE, reason="of PostgreSQL alone: `make test-postgres`")
_made: list[str] = []


def url_for(place: Path, *, is_empty: bool = False) -> str:
    """The URL of the database that has this place; made, with its tables, where that is on a server."""
    if not TEMPLATE:
        return f"sqlite+aiosqlite:///{place}"
    name = f"t_{hashlib.blake2b(str(place.absolute()).encode(), digest_size=8).hexdigest()}"
    if name not in _made:
        template = "template0" if is_empty else f'"{make_url(TEMPLATE).database}"'
        _in_a_thread(_create(name, template))
        _made.append(name)
    return make_url(TEMPLATE).set(database=name).render_as_string(hide_password=False)


def url_of_home(home: Path) -> str:
    """The URL of a home's database."""
    return url_for(home / "fillbot.db")


def database_of(home: Path) -> dict[str, str]:
    """The setting that leads a home's bot to its database; none where that is the file in it."""
    return {"DATABASE_URL": url_of_home(home)} if TEMPLATE else {}


def rows(home: Path, statement: str) -> list[tuple[Any, ...]]:
    """What a statement finds in a home's database, or changes there; seen from outside the app."""
    if not TEMPLATE:
        with contextlib.closing(sqlite3.connect(home / "fillbot.db")) as connection:
            found = connection.execute(statement).fetchall()
            connection.commit()
        return found

    async def ask() -> list[tuple[Any, ...]]:
        async with _server(make_url(url_of_home(home)).database) as server:
            return [tuple(row) for row in await server.fetch(statement)]

    return _in_a_thread(ask())


def migrate_to(path: Path, revision: str) -> None:
    """Create a SQLite file with the tables of a schema version, such as "0001"."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        config = Config()
        config.set_main_option("script_location", "storage:migrations")
        config.attributes["connection"] = connection
        upgrade(config, revision)
    engine.dispose()


@contextlib.contextmanager
def dropped_after() -> Iterator[None]:
    """Drop what is made within the block."""
    before = len(_made)
    yield
    if gone := _made[before:]:
        del _made[before:]
        _in_a_thread(_drop(gone))


async def _create(name: str, template: str) -> None:
    import asyncpg

    async with _server() as server:
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):  # a process of the test's made it
            await server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")


async def _drop(names: list[str]) -> None:
    async with _server() as server:
        for name in names:
            await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextlib.asynccontextmanager
async def _server(database: str | None = "postgres") -> Any:
    import asyncpg

    url = make_url(TEMPLATE).set(drivername="postgresql", database=database)
    server = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        yield server
    finally:
        await server.close()


def _in_a_thread(work: Coroutine[Any, Any, T]) -> T:
    """Whether or not a loop runs here."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()
