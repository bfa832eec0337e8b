"""Backups are intact, private and daily, and a restore brings everything back."""

import asyncio
import os
import sqlite3
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import delete, func, insert, select
from support.ballots import NOON, QUERY, ask
from support.databases import migrate_to, of_sqlite

from storage import __main__ as command
from storage.database import Database
from storage.errors import BackupError, InUseError, RestoreError
from storage.maintenance.backups import (
    back_up,
    back_up_now,
    back_up_today,
    backup_files,
    daily,
    database_copies,
    database_file,
    examine,
    last_made_at,
)
from storage.maintenance.recovery import recover
from storage.maintenance.restore import exclusive_access, restore
from storage.schema import people, predictions, votes
from storage.votes.predictions import StoredVote, cast_votes

pytestmark = of_sqlite

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture
def file(tmp_path: Path, database: Database) -> Path:
    """The database's file."""
    return tmp_path / "fillbot.db"


async def with_votes(database: Database, *voters: int) -> None:
    prediction_id = await ask(database)
    ballots = [StoredVote(prediction_id, 0, "cheap", voter, "reaction", 1, NOON) for voter in voters]
    await cast_votes(database, ballots)


async def stored(path: Path) -> tuple[list[str], list[int]]:
    """Queries and voters in a database file, read as the bot does."""
    database = await Database.open(f"sqlite+aiosqlite:///{path}")
    async with database.read() as connection:
        queries = list((await connection.execute(select(predictions.c.query))).scalars())
        voters = list((await connection.execute(select(votes.c.voter_id).order_by("voter_id"))).scalars())
    await database.close()
    return queries, voters


async def test_a_backup_holds_what_was_committed_before(
    tmp_path: Path, database: Database, file: Path
) -> None:
    await with_votes(database, 7, 8)
    back_up(file, tmp_path / "copy.db")
    await with_votes(database, 9)
    assert await stored(tmp_path / "copy.db") == ([QUERY], [7, 8])


async def test_only_this_user_may_read_a_backup(tmp_path: Path, file: Path) -> None:
    back_up(file, tmp_path / "backups" / "copy.db")
    assert stat.S_IMODE((tmp_path / "backups" / "copy.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "backups").stat().st_mode) == 0o700
    assert os.listdir(tmp_path / "backups") == ["copy.db"]  # noqa: PTH208  no log, nothing half-written


async def test_nothing_that_was_deleted_is_in_a_backup(
    tmp_path: Path, database: Database, file: Path
) -> None:
    await ask(database, "Ada's secret is [MASK].")
    async with database.write() as connection:
        await connection.execute(delete(predictions))
    back_up(file, tmp_path / "copy.db")
    assert b"secret" not in (tmp_path / "copy.db").read_bytes()


async def test_a_backup_made_while_writes_go_on_is_consistent(
    tmp_path: Path, database: Database, file: Path
) -> None:
    """Every transaction writes two people; a copy in the middle holds both or none of each."""
    is_over, has_written = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        number = 0
        while not is_over.is_set():
            number += 2
            async with database.write() as connection:
                await connection.execute(insert(people), {"user_id": number})
                await connection.execute(insert(people), {"user_id": number + 1})
            has_written.set()

    writer = asyncio.create_task(write())
    counts = []
    for copy in range(5):
        has_written.clear()
        await has_written.wait()
        path = tmp_path / f"{copy}.db"
        await asyncio.to_thread(back_up, file, path)
        counts.append(dict(examine(path).rows)["people"])
    is_over.set()
    await writer
    assert all(count % 2 == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > 0


async def test_one_backup_a_day_and_the_newest_are_kept(
    tmp_path: Path, database: Database, file: Path
) -> None:
    folder = tmp_path / "backups"
    days = [date(2026, 2, day) for day in (26, 27, 28)] + [date(2026, 3, 1), date(2026, 3, 1)]
    await with_votes(database, 7)
    (tmp_path / "backups").mkdir()
    (folder / ".fillbot-2026-02-25.db.123").write_text("half of one")
    (folder / "my-own.db").write_text("not ours to delete")
    for day in days:
        back_up_today(file, folder, keep=3, today=day)
    assert [path.name for path in daily(folder)] == [
        "fillbot-2026-02-27.db",
        "fillbot-2026-02-28.db",
        "fillbot-2026-03-01.db",
    ]
    assert sorted(path.name for path in folder.iterdir() if path not in daily(folder)) == ["my-own.db"]


async def test_a_backup_made_by_hand_replaces_none_and_is_kept_as_long_as_its_day(
    tmp_path: Path, file: Path
) -> None:
    folder = tmp_path / "backups"
    back_up_today(file, folder, keep=2, today=TODAY)
    back_up_now(file, folder, now=NOW)
    with pytest.raises(BackupError, match="already exists"):
        back_up_now(file, folder, now=NOW)
    names = ["fillbot-2026-03-02.db", "fillbot-2026-03-02-093000.db"]
    assert [path.name for path in daily(folder)] == names
    back_up_today(file, folder, keep=2, today=date(2026, 3, 3))
    assert [path.name for path in daily(folder)] == [*names, "fillbot-2026-03-03.db"]
    back_up_today(file, folder, keep=2, today=date(2026, 3, 4))
    assert [path.name for path in daily(folder)] == ["fillbot-2026-03-03.db", "fillbot-2026-03-04.db"]


async def test_of_several_backups_to_one_file_at_once_one_is_made(tmp_path: Path, file: Path) -> None:
    tries = [asyncio.to_thread(back_up, file, tmp_path / "copy.db", replaces=False) for _ in range(5)]
    ended = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(str(type(one).__name__) for one in ended) == ["BackupError"] * 4 + ["NoneType"]
    assert examine(tmp_path / "copy.db").problem is None
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".copy")]  # noqa: PTH208


async def test_a_backup_that_fails_deletes_none(tmp_path: Path, database: Database, file: Path) -> None:
    folder = tmp_path / "backups"
    back_up_today(file, folder, keep=1, today=date(2026, 3, 1))
    await database.close()
    spoil(file)
    with pytest.raises(BackupError, match=r"could not be backed up: .*fillbot\.db: file is not a database"):
        back_up_today(file, folder, keep=1, today=TODAY)
    assert [path.name for path in folder.iterdir()] == ["fillbot-2026-03-01.db"]


async def test_a_damaged_database_is_not_backed_up(tmp_path: Path, database: Database, file: Path) -> None:
    await with_votes(database, *range(200))
    await database.close()
    damage(file)
    with pytest.raises(BackupError):
        back_up(file, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


async def test_a_backup_to_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, file: Path) -> None:
    (tmp_path / "full").write_text("")
    with pytest.raises(BackupError, match=r"(Not a directory|File exists)"):
        back_up(file, tmp_path / "full" / "copy.db")


async def test_the_age_of_a_backup_is_not_that_of_a_later_change(tmp_path: Path, file: Path) -> None:
    assert last_made_at(tmp_path / "backups") is None
    path = back_up_today(file, tmp_path / "backups", keep=1, today=TODAY)
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert last_made_at(path.parent) == NOW
    os.utime(path, None)  # somebody was forgotten in it, long after
    assert last_made_at(path.parent) == datetime(2026, 3, 3, tzinfo=UTC)


def spoil(path: Path) -> None:
    """Overwrite the file, so that it is not a database."""
    path.write_bytes(b"rubbish " * 1000)


def damage(path: Path) -> None:
    """Overwrite pages in the middle."""
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 4 * 4096))


async def test_everything_is_there_after_a_restore(tmp_path: Path, database: Database, file: Path) -> None:
    await with_votes(database, 7, 8)
    backup = back_up_today(file, tmp_path / "backups", keep=1, today=TODAY)
    await database.close()
    spoil(file)
    kept = await restore(backup, file, now=NOW)
    assert await stored(file) == ([QUERY], [7, 8])
    assert kept == tmp_path / "fillbot.db.before-restore-2026-03-02T093000"
    assert kept.read_bytes().startswith(b"rubbish")
    assert await stored(backup) == ([QUERY], [7, 8])


async def test_the_previous_database_is_kept_with_its_log(
    tmp_path: Path, database: Database, file: Path
) -> None:
    backup = back_up_today(file, tmp_path / "backups", keep=1, today=TODAY)
    await with_votes(database, 9)
    left_open = sqlite3.connect(file)  # a crash would leave the log behind like this
    left_open.execute("SELECT * FROM votes").fetchall()
    await database.close()
    kept = await restore(backup, file, now=NOW)
    left_open.close()
    assert kept is not None
    assert await stored(file) == ([], [])
    assert await stored(kept) == ([QUERY], [9])
    assert backup_files(tmp_path / "backups", tmp_path / "fillbot.db") == [backup, kept]


COPIES = ("{}.before-restore-2026-03-02T093000", "{}.damaged-2026-03-02T093000", ".{}.new", "..{}.new.123")


@pytest.mark.parametrize("name", ["fillbot.db", "votes [1].db", None])
def test_every_copy_that_may_hold_rows_is_listed(tmp_path: Path, name: str | None) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "data"
    backups = home / "backups"
    copies = [backups / "fillbot-2026-03-01.db", backups / ".fillbot-2026-03-01.db.123", backups / "old.gz"]
    database = None if name is None else (home if name == "fillbot.db" else elsewhere) / name
    copies += [home / "fillbot.db", *(home / pattern.format("fillbot.db") for pattern in COPIES)]
    if name is not None:
        copies += [elsewhere / pattern.format(name) for pattern in COPIES if name != "fillbot.db"]
    others = [home / "training.log", backups / "README.md", home / "fillbot.db.damaged-2026-03-02T093000-wal"]
    for path in (*copies, *others, *([database] if database else ())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert database_copies(home, backups, database) == sorted(set(copies) - {database})


async def test_a_copy_lists_what_restore_and_recovery_leave(
    tmp_path: Path, database: Database, file: Path
) -> None:
    await with_votes(database, 7)
    backup = back_up_today(file, tmp_path / "backups", keep=1, today=TODAY)
    await database.close()
    spoil(file)
    recovery = await recover(file, tmp_path / "backups", now=NOW)
    kept = await restore(backup, file, now=NOW)
    assert recovery is not None
    assert database_copies(tmp_path, tmp_path / "backups", file) == [backup, kept, recovery.kept]


async def test_a_restore_where_nothing_was_before(tmp_path: Path, database: Database, file: Path) -> None:
    await with_votes(database, 7)
    assert await restore(file, tmp_path / "new.db", now=NOW) is None
    assert await stored(tmp_path / "new.db") == ([QUERY], [7])


@pytest.mark.parametrize("kind", ["missing", "rubbish", "damaged", "foreign"])
async def test_an_unusable_backup_is_refused(
    tmp_path: Path, database: Database, file: Path, *, kind: str
) -> None:
    await with_votes(database, *range(200))
    bad = tmp_path / "bad.db"
    if kind == "rubbish":
        bad.write_bytes(b"rubbish " * 1000)
    elif kind == "damaged":
        back_up(file, bad)
        damage(bad)
    elif kind == "foreign":
        with sqlite3.connect(bad) as other:
            other.execute("CREATE TABLE notes (text)")
        other.close()
    with pytest.raises(RestoreError, match="The database is unchanged"):
        await restore(bad, file, now=NOW)
    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(votes))).scalar_one() == 200
    assert backup_files(tmp_path / "backups", tmp_path / "fillbot.db") == []


async def test_nothing_is_restored_while_the_bot_runs(tmp_path: Path) -> None:
    refused = pytest.raises(InUseError, match=r"The bot is using .* Stop it")
    with FileLock(tmp_path / "bot.lock"), refused, exclusive_access(tmp_path):
        pass
    with exclusive_access(tmp_path), pytest.raises(InUseError), exclusive_access(tmp_path):
        pass


async def test_an_older_backup_is_migrated(tmp_path: Path, database: Database, file: Path) -> None:
    old = tmp_path / "old.db"
    migrate_to(old, "0001")
    await restore(old, tmp_path / "new.db", now=NOW)
    assert examine(tmp_path / "new.db").revision == examine(file).revision
    assert examine(old).revision == "0001"


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home that the command line sees."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FILLBOT_HOME", str(tmp_path))
    return tmp_path


async def test_the_commands_back_up_check_and_restore(
    at_home: Path, database: Database, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await with_votes(database, 7)
    assert command.main(["backup"]) == 0
    assert command.main(["backup", "mine.db"]) == 0
    assert command.main(["backup", "mine.db"]) == 1
    assert (
        "mine.db already exists and is kept. Name a file that does not exist yet." in capsys.readouterr().err
    )
    await database.close()
    assert command.main(["check"]) == 0
    assert "1 votes" in capsys.readouterr().out
    spoil(file)
    assert command.main(["check"]) == 1
    assert await asyncio.to_thread(command.main, ["restore", "mine.db"]) == 0
    assert "You can start the bot" in capsys.readouterr().out
    assert await stored(file) == ([QUERY], [7])


async def test_the_commands_say_what_is_wrong(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["backup"]) == 1
    assert "there is no database yet" in capsys.readouterr().err
    assert await asyncio.to_thread(command.main, ["restore", "none.db"]) == 1
    assert "none.db cannot be restored (no such file)" in capsys.readouterr().err
    monkeypatch.setenv("FILLBOT_DATABASE_URL", "postgresql+asyncpg://somebody:secret@there/fillbot")
    assert command.main(["backup"]) == 1
    said = capsys.readouterr().err
    assert "does not name a file" in said
    assert "secret" not in said
    monkeypatch.setenv("FILLBOT_KEEP_BACKUPS", "many")
    assert command.main(["backup"]) == 78
    assert "FILLBOT_KEEP_BACKUPS" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite+aiosqlite:////folder/fillbot.db", "/folder/fillbot.db"),
        ("sqlite+aiosqlite:///here.db", "here.db"),
        ("sqlite+aiosqlite://", None),
        ("sqlite+aiosqlite:///:memory:", None),
        ("postgresql+asyncpg://there/fillbot", None),
    ],
)
def test_only_a_file_is_backed_up(url: str, name: str | None) -> None:
    assert database_file(url) == (Path(name) if name else None)
