"""A damaged database is replaced by its backup and its readable rows, and is kept."""

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError
from support.ballots import ask, vote
from support.databases import of_sqlite

from storage.database import Database
from storage.errors import DatabaseDamagedError
from storage.maintenance.backups import back_up_today, examine
from storage.maintenance.recovery import find_damage, recover
from storage.schema import votes

pytestmark = of_sqlite

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FILLED: dict[tuple[int, int], Path] = {}  # homes by how many voted before the backup, and after
PAGE = 4096


async def filled(home: Path, *, before: int = 60, after: int = 20) -> Path:
    """A database, written once and copied: some people voted before its backup, others after."""
    if (before, after) not in FILLED:
        FILLED[before, after] = Path(tempfile.mkdtemp(prefix="filled-"))
        await fill(FILLED[before, after], before=before, after=after)
    shutil.copytree(FILLED[before, after], home, dirs_exist_ok=True)
    return home / "fillbot.db"


@pytest.fixture(scope="module", autouse=True)
def removed_afterwards() -> Iterator[None]:
    yield
    for folder in FILLED.values():
        shutil.rmtree(folder)
    FILLED.clear()


async def fill(home: Path, *, before: int, after: int) -> None:
    file = home / "fillbot.db"
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    for number in range(before + after):
        if number == before:
            back_up_today(file, home / "backups", keep=7, today=NOW.date())
        prediction_id = await ask(database, f"{number} shoes are very [MASK].", message_id=number + 1)
        await vote(database, prediction_id, "cheap", 1, by=100 + number)
    await database.close()


async def voters(file: Path) -> set[int]:
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    async with database.read() as connection:
        found = set((await connection.execute(select(votes.c.voter_id))).scalars())
    await database.close()
    return found


BEFORE, ALL = set(range(100, 160)), set(range(100, 180))


def root_page(file: Path, name: str) -> int:
    with sqlite3.connect(file) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    connection.close()
    return int(page)


def overwrite(file: Path, *pages: int, content: bytes = b"\xff" * PAGE) -> None:
    with file.open("r+b") as opened:
        for page in pages:
            opened.seek((page - 1) * PAGE)
            opened.write(content)


async def test_an_intact_database_is_left_alone(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    content = file.read_bytes()
    assert await recover(file, tmp_path / "backups", now=NOW) is None
    assert file.read_bytes() == content


async def test_no_database_yet_is_no_damage(tmp_path: Path) -> None:
    assert await recover(tmp_path / "fillbot.db", tmp_path / "backups", now=NOW) is None


async def test_a_damaged_index_costs_nothing(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    overwrite(file, root_page(file, "ix_votes_voter_id"))
    recovery = await recover(file, tmp_path / "backups", now=NOW)
    assert recovery is not None
    assert recovery.kept is not None
    assert recovery.kept.name == "fillbot.db.damaged-2026-03-02T093000"
    assert await voters(file) == ALL
    assert examine(file).problem is None
    assert find_damage(recovery.kept) is not None


async def test_a_damaged_table_is_restored_and_the_others_stay(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    overwrite(file, root_page(file, "people"))
    assert await recover(file, tmp_path / "backups", now=NOW) is not None
    assert await voters(file) == ALL


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda file: file.write_bytes(b""), id="empty"),
        pytest.param(lambda file: file.write_bytes(b"rubbish " * 2000), id="rubbish"),
        pytest.param(lambda file: overwrite(file, 1), id="header"),
        pytest.param(lambda file: overwrite(file, root_page(file, "votes")), id="votes"),
        pytest.param(lambda file: file.write_bytes(file.read_bytes()[:9000]), id="truncated"),
    ],
)
async def test_unreadable_rows_are_restored_from_the_backup(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    file = await filled(tmp_path)
    spoil(file)
    spoilt = file.read_bytes()
    recovery = await recover(file, tmp_path / "backups", now=NOW)
    assert recovery is not None
    assert recovery.backup == tmp_path / "backups" / "fillbot-2026-03-02.db"
    assert await voters(file) >= BEFORE
    assert recovery.kept is not None
    assert recovery.kept.read_bytes() == spoilt


async def test_a_backup_that_is_damaged_too_is_passed_over(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    (tmp_path / "backups" / "fillbot-2026-03-05.db").write_bytes(b"rubbish")
    file.write_bytes(b"rubbish " * 2000)
    recovery = await recover(file, tmp_path / "backups", now=NOW)
    assert recovery is not None
    assert recovery.backup == tmp_path / "backups" / "fillbot-2026-03-02.db"


async def test_without_a_backup_the_rows_before_the_damage_are_kept(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    (tmp_path / "backups" / "fillbot-2026-03-02.db").unlink()
    overwrite(file, root_page(file, "ix_votes_cast_at"))
    recovery = await recover(file, tmp_path / "backups", now=NOW)
    assert recovery is not None
    assert recovery.backup is None
    assert await voters(file) == ALL


async def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "fillbot.db"
    file.write_bytes(b"a letter to my aunt, " * 500)
    assert await recover(file, tmp_path / "backups", now=NOW) is None
    assert file.read_bytes().startswith(b"a letter")
    with pytest.raises(DatabaseDamagedError, match="is damaged"):
        await Database.open(f"sqlite+aiosqlite:///{file}")
    assert not list(tmp_path.glob("*damaged*"))  # noqa: ASYNC240  a moment


async def test_a_vote_withdrawn_since_the_backup_does_not_come_back(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    async with database.write() as connection:
        await connection.execute(delete(votes).where(votes.c.voter_id == 100))
    await database.close()
    overwrite(file, root_page(file, "people"))
    assert await recover(file, tmp_path / "backups", now=NOW) is not None
    assert await voters(file) == ALL - {100}


@pytest.mark.parametrize("seed", range(30))
async def test_any_pages_may_be_damaged(tmp_path: Path, seed: int) -> None:
    """What was backed up is there, nothing is there that nobody gave, and the bot can work with it."""
    file = await filled(tmp_path, before=30, after=10)
    chance = random.Random(seed)
    pages = chance.sample(range(1, file.stat().st_size // PAGE + 1), chance.randint(1, 3))
    overwrite(file, *pages, content=chance.randbytes(PAGE) if seed % 2 else b"\x00" * PAGE)
    was_damaged = find_damage(file) is not None
    assert (await recover(file, tmp_path / "backups", now=NOW) is not None) == was_damaged
    if was_damaged:
        assert set(range(100, 130)) <= await voters(file) <= set(range(100, 140))
    assert find_damage(file) is None


async def test_damage_found_while_running_is_a_different_error(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    overwrite(file, root_page(file, "votes"))
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    with pytest.raises(DatabaseDamagedError) as raised:
        async with database.read() as connection:
            await connection.execute(select(votes))
    assert isinstance(raised.value.__cause__, DBAPIError)
    assert database.damaged.is_set()
    await database.close()
