"""Opening, migrating, transactions, and failures of the disk."""

import asyncio
import gc
import os
import sqlite3
import sys
import traceback
from pathlib import Path

import aiosqlite
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from support.ballots import ask, vote
from support.databases import of_sqlite, url_for

from storage.database import Database
from storage.errors import DatabaseTooNewError, DatabaseUnavailableError, DatabaseUrlError
from storage.migrations.upgrade import newest_revision
from storage.schema import candidates, metadata, people, predictions, votes


async def count(database: Database, table: object = people) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def opt_out(database: Database, user_id: int) -> None:
    async with database.write() as connection:
        await connection.execute(insert(people), {"user_id": user_id})


@of_sqlite
async def test_opening_makes_the_folder_and_every_table(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "fillbot.db"
    database = await Database.open(f"sqlite+aiosqlite:///{path}")
    async with database.read() as connection:
        names = set(await connection.run_sync(lambda c: inspect(c).get_table_names()))
    await database.close()
    assert path.exists()
    assert names == {*metadata.tables, "alembic_version"}


async def test_the_migrations_make_just_the_tables_of_the_schema(database: Database) -> None:
    def differences(connection: object) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_opening_again_keeps_what_is_there(database_url: str) -> None:
    for user_id in (1, 2):
        database = await Database.open(database_url)
        await opt_out(database, user_id)
        await database.close()
    database = await Database.open(database_url)
    assert await count(database) == 2
    await database.close()


async def test_two_may_open_a_new_database_at_the_same_moment(tmp_path: Path) -> None:
    url = url_for(tmp_path / "fillbot.db", is_empty=True)
    opened = await asyncio.gather(*(Database.open(url) for _ in range(4)))
    for database in opened:
        await database.close()


async def test_a_database_of_an_older_revision_is_migrated(tmp_path: Path) -> None:
    # "Older" than the first revision is one that Alembic has seen and left without a revision.
    url = url_for(tmp_path / "fillbot.db", is_empty=True)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
    await engine.dispose()
    database = await Database.open(url)
    await ask(database)
    assert await count(database, predictions) == 1
    await database.close()


async def test_votes_from_before_weights_have_the_default_one(database_url: str) -> None:
    database = await Database.open(database_url)
    prediction_id = await ask(database)
    await vote(database, prediction_id, "cheap", 1, by=7)
    async with database.write() as connection:  # as revision 0008 left it
        for table in ("model_versions", "undone_thumbs", "sources", "denied_words", "preferred_words"):
            await connection.execute(text(f"DROP TABLE {table}"))
        await connection.execute(text("ALTER TABLE candidates DROP COLUMN model_version"))
        await connection.execute(text("DROP INDEX ix_predictions_author_id"))
        await connection.execute(text("ALTER TABLE predictions DROP COLUMN author_id"))
        await connection.execute(text("ALTER TABLE votes DROP COLUMN weight"))
        await connection.execute(text("ALTER TABLE votes DROP COLUMN reason"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0008'"))
    await database.close()
    database = await Database.open(database_url)
    await vote(database, prediction_id, "cheap", 1, by=8, weight=2.5)
    async with database.read() as connection:
        rows = await connection.execute(select(votes.c.voter_id, votes.c.weight))
        assert {row[0]: row[1] for row in rows} == {7: 1.0, 8: 2.5}
    await database.close()


async def test_a_database_of_a_newer_revision_is_refused_and_untouched(database_url: str) -> None:
    database = await Database.open(database_url)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    with pytest.raises(DatabaseTooNewError, match=r"newer version of fillbot.*Update this copy"):
        await Database.open(database_url)
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    await engine.dispose()


def test_the_newest_revision_is_the_last_of_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()


@of_sqlite
async def test_a_database_with_the_newest_schema_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'fillbot.db'}"
    await (await Database.open(url)).close()
    opening = (
        "import asyncio, sys\n"
        "from storage.database import Database\n"
        "async def main():\n"
        f"    await (await Database.open({url!r})).close()\n"
        "asyncio.run(main())\n"
        "assert 'alembic' not in sys.modules"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", opening)
    assert await process.wait() == 0


@of_sqlite
async def test_the_pragmas_are_set(database: Database) -> None:
    async with database.read() as connection:
        values = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, 15_000]  # synchronous 2 is FULL


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as connection:
            await connection.execute(insert(people), {"user_id": 1})
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await count(database) == 0
    await opt_out(database, 1)  # and the write lock is free again
    assert await count(database) == 1


async def test_a_cancelled_transaction_leaves_nothing_and_frees_the_lock(database: Database) -> None:
    inside = asyncio.Event()

    async def hang() -> None:
        async with database.write() as connection:
            await connection.execute(insert(people), {"user_id": 1})
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await opt_out(database, 2)
    assert await count(database) == 1


async def test_an_integrity_error_is_not_reported_as_a_full_disk(database: Database) -> None:
    await opt_out(database, 1)
    with pytest.raises(IntegrityError):
        await opt_out(database, 1)


async def test_a_logged_error_contains_no_query_and_no_person(database: Database) -> None:
    statement = select(candidates.c.word).where(candidates.c.word == "xylophone")

    async def look() -> None:
        async with database.read() as connection:
            await connection.execute(statement)

    async with database.write() as connection:
        await connection.execute(text("DROP TABLE candidates"))
    with pytest.raises(DatabaseUnavailableError) as caught:
        await look()
    assert "xylophone" not in "".join(traceback.format_exception(caught.value))


async def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(insert(people), {"user_id": 1})
        async with asyncio.timeout(5):
            assert await count(database) == 0  # the state before


async def test_writers_of_one_process_queue(database: Database) -> None:
    await asyncio.gather(*(opt_out(database, user_id) for user_id in range(50)))
    assert await count(database) == 50


async def test_writers_of_two_databases_and_two_processes_lose_no_rows(
    database_url: str, database: Database
) -> None:
    script = (
        "import asyncio, sys\n"
        "from sqlalchemy import insert\n"
        "from storage.database import Database\n"
        "from storage.schema import people\n"
        "async def main():\n"
        "    database = await Database.open(sys.argv[1])\n"
        "    for user_id in range(2000, 2030):\n"
        "        async with database.write() as connection:\n"
        "            await connection.execute(insert(people), {'user_id': user_id})\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    other = await Database.open(database_url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, database_url, cwd=Path(__file__).parents[2]
    )
    await asyncio.gather(
        *(opt_out(database, user_id) for user_id in range(30)),
        *(opt_out(other, user_id) for user_id in range(1000, 1030)),
    )
    assert await process.wait() == 0
    assert await count(database) == 90
    await other.close()


async def test_closing_twice_is_closing_once(database_url: str) -> None:
    database = await Database.open(database_url)
    await database.close()
    await database.close()


@of_sqlite
async def test_a_file_that_is_not_a_database_is_an_error(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "fillbot.db"
    path.write_bytes(b"this was never a database\n" * 200)
    before = path.read_bytes()
    with pytest.raises(DatabaseUnavailableError, match="file is not a database"):
        await Database.open(database_url)
    assert path.read_bytes() == before


@of_sqlite
async def test_a_folder_in_place_of_the_file_is_an_error(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "fillbot.db").mkdir()
    with pytest.raises(DatabaseUnavailableError, match="unable to open database file"):
        await Database.open(database_url)


@of_sqlite
async def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(DatabaseUnavailableError, match="Check that the disk has free space") as caught:
        await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'home' / 'fillbot.db'}")
    assert str(tmp_path / "home" / "fillbot.db") in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    with pytest.raises(DatabaseUnavailableError):
        await Database.open(f"sqlite+aiosqlite:///{home / 'fillbot.db'}")


@of_sqlite
async def test_a_read_only_database_is_an_error(database_url: str, tmp_path: Path) -> None:
    await (await Database.open(database_url)).close()
    read_only = f"sqlite+aiosqlite:///file:{tmp_path / 'fillbot.db'}?mode=ro&uri=true"
    with pytest.raises(DatabaseUnavailableError, match="readonly"):
        await Database.open(read_only)


@of_sqlite
async def test_on_a_full_disk_nothing_is_half_written(database: Database) -> None:
    async with database.write() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    too_much = tuple((f"{'w' * 500}{i}", 0.1) for i in range(100))
    with pytest.raises(DatabaseUnavailableError, match=r"full.*No data was written"):
        await ask(database, words=too_much)
    assert await count(database, predictions) == 0
    async with database.write() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1000000"))
    await ask(database)  # once there is room again, it goes on
    assert await count(database, predictions) == 1


@pytest.mark.parametrize(
    "url",
    [
        "no url at all",
        "sqlite:///fillbot.db",  # a driver that blocks
        "oracle+nonsense://somewhere/x",
        "postgresql+nonsense://ada:secret@db/x",
    ],
)
async def test_a_url_of_no_supported_database_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="FILLBOT_DATABASE_URL") as caught:
        await Database.open(url)
    assert "secret" not in str(caught.value)


@of_sqlite
async def test_a_writer_that_is_cancelled_while_it_waits_leaves_nothing_open(
    database: Database, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "fillbot.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(opt_out(database, 1))
    await asyncio.sleep(0.05)  # real time: nothing shows that SQLite waits in the driver's thread
    waiting.cancel()
    await asyncio.sleep(0.05)  # and nothing shows that it goes on waiting
    other.execute("COMMIT")
    other.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await opt_out(database, 2)
    assert await count(database) == 1


async def test_a_task_cancelled_at_any_moment_blocks_no_other(database: Database) -> None:
    for number in range(60):
        task = asyncio.create_task(opt_out(database, 2 * number) if number % 3 else count(database))
        await asyncio.sleep(number / 30_000)  # up to 2 ms: longer than either takes
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await opt_out(database, 2 * number + 1)
    assert await count(database) >= 60


@of_sqlite
async def test_closing_waits_for_the_connections_of_cancelled_tasks(tmp_path: Path) -> None:
    for number in range(12):
        database = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'fillbot.db'}")
        tasks = [asyncio.create_task(opt_out(database, user_id)) for user_id in (1, 2)]
        await asyncio.sleep(number / 6_000)  # up to 2 ms: longer than a connection takes to open
        for task in tasks:
            task.cancel()
        await database.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        del database, tasks, task, results
        await asyncio.sleep(0.002)  # a connection would come back now
        gc.collect()  # one that was left open warns, and warnings are errors


@of_sqlite
async def test_a_second_cancellation_does_not_interrupt_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As when make passes a signal on that the whole process group has received."""
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'fillbot.db'}")
    begins, goes_on, close = asyncio.Event(), asyncio.Event(), aiosqlite.Connection.close

    async def slow(connection: aiosqlite.Connection) -> None:
        begins.set()
        await goes_on.wait()
        await close(connection)

    monkeypatch.setattr(aiosqlite.Connection, "close", slow)
    closing = asyncio.create_task(database.close())
    await begins.wait()
    closing.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert "Exception closing connection" not in caplog.text
    gc.collect()  # a connection that was left open warns, and warnings are errors
