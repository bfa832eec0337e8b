"""A live SQLite database, copied to PostgreSQL while a bot goes on writing to it."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from sqlalchemy import func, select, text
from support.app import environment
from support.ballots import NOON, ask, minutes, vote

from storage import runs
from storage.database import Database
from storage.errors import CopyError, HalfCopiedError
from storage.maintenance import copy_to_postgres
from storage.maintenance.copy_to_postgres import TableCopy, copy
from storage.people import forgetting
from storage.schema import metadata, people
from storage.votes.predictions import count_votes
from storage.votes.reactions import ThumbAdded, apply_thumbs

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


async def filled(home: Path) -> Database:
    """Something of everything, and what is spelt differently on both sides."""
    database = await Database.open(f"sqlite+aiosqlite:///{home / 'fillbot.db'}")
    asked = await ask(database, "Größe 🏃 | 'so' \\N [MASK]", message_id=2**62, masks=2, words=[("ö", 1e-17)])
    for voter in (2**63 - 1, 7):
        await vote(database, asked, "ö", 1, by=voter, at=minutes(1 / 7))
    await ask(database, "nul \0 [MASK]", guild_id=None, quiz_at=minutes(2), words=[("w", 1e22), ("x", 0.1)])
    run_id = await runs.open_run(database, "nightly", started_at=NOON, champion=None)
    await runs.finish_run(
        database, run_id, "rejected", finished_at=minutes(1), verdict={"loss": float("nan"), "why": "ä\0"}
    )
    await forgetting.request(database, 9, now=NOON)
    await forgetting.erase_person(database, 10, since=None, now=NOON)
    async with database.write() as connection:
        await connection.execute(people.insert(), {"user_id": 5, "opted_out_at": NOON, "reliability": 1 / 3})
    return database


async def contents(database: Database) -> dict[str, list[Any]]:
    async with database.read() as connection:
        return {
            name: [
                tuple(row)
                for row in await connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for name, table in metadata.tables.items()
        }


async def passed(home: Path, url: str, *, is_final: bool = True) -> list[TableCopy]:
    await (await Database.open(url, is_copy_target=True)).close()
    copied = await copy(home / "fillbot.db", url, is_final=is_final, progress=lambda *_: None)
    assert all(one.source == one.target for one in copied)
    return copied


async def test_everything_comes_over_as_it_is_and_work_goes_on(home: Path, database_url: str) -> None:
    source = await filled(home)
    await passed(home, database_url)
    target = await Database.open(database_url)
    expected = await contents(source)
    found = await contents(target)
    # What PostgreSQL cannot hold: numbers in JSON that are none, and the character 0 in a text.
    assert repr(found) == repr(expected).replace("nan", "None").replace("nul \\x00", "nul ")
    assert await ask(target) == 3  # numbers go on after the last
    assert await runs.open_run(target, "nightly", started_at=NOON, champion=None) == 2
    await source.close()
    await target.close()


async def test_a_second_pass_brings_what_changed_and_takes_what_went(
    home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_to_postgres, "ROWS", 10)
    source = await filled(home)
    for number in range(40):
        await ask(source, f"shoes {number} [MASK]", message_id=number, asker_id=100 + number)
        await apply_thumbs(source, [ThumbAdded(number, voter, "👍", minutes(1)) for voter in range(5)])
    first = await passed(home, database_url, is_final=False)
    assert {one.table: one.written for one in first}["votes"] > 5
    assert all(one.written == 0 for one in await passed(home, database_url, is_final=False))
    await apply_thumbs(source, [ThumbAdded(7, 3, "👎", minutes(9))])
    await forgetting.erase_person(source, 110, since=None, now=NOON)  # who alone asked one of them
    await forgetting.erase_person(source, 2, since=None, now=NOON)
    second = {one.table: one.written for one in await passed(home, database_url)}
    assert second["runs"] == 0
    target = await Database.open(database_url)
    assert (await contents(target))["votes"] == (await contents(source))["votes"]
    await source.close()
    await target.close()


async def test_while_somebody_votes_and_killed_in_the_middle(home: Path, database_url: str) -> None:
    source = await filled(home)
    for number in range(6):
        await ask(source, message_id=number)
    async with source.write() as connection:  # enough for several ranges
        await connection.execute(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
                "INSERT INTO votes (prediction_id, mask_index, word, voter_id, via, value, cast_at) "
                "SELECT 3 + i % 6, 0, 'w' || i, i, 'suggestion', 1, :at FROM n"
            ),
            {"at": "2026-03-01 12:00:00.000000"},
        )
    is_over, cast = False, 0

    async def votes_go_on() -> None:
        nonlocal cast
        while not is_over:
            await apply_thumbs(
                source, [ThumbAdded(cast % 6, 10**6 + cast, "👍", NOON + timedelta(seconds=cast))]
            )
            cast += 1
            await asyncio.sleep(0.01)  # the pace of the votes

    command = [sys.executable, "-m", "storage", "copy", "--to", database_url]
    env = environment(home) | {"FILLBOT_DATABASE_URL": f"sqlite+aiosqlite:///{home / 'fillbot.db'}"}

    async def run(kill_after: str | None = None) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout is not None
        while kill_after is not None and (line := await process.stdout.readline()):
            if line.decode().startswith(kill_after):
                process.kill()
                break
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    bot = FileLock(home / "bot.lock", thread_local=False)
    with bot:
        voting = asyncio.create_task(votes_go_on())
        for table in ("predictions:", "candidates:"):
            assert (await run(kill_after=table))[0] == -9
        with pytest.raises(HalfCopiedError):
            await Database.open(database_url)
        code, out = await run()
        assert code == 0, out
        assert "Stop it, run this command again" in out
        with pytest.raises(HalfCopiedError):
            await Database.open(database_url)
        is_over = True
        await voting
    assert cast > 10
    began_at = time.monotonic()
    code, out = await run()
    assert code == 0, out
    assert "Set FILLBOT_DATABASE_URL" in out
    assert time.monotonic() - began_at < 60
    target = await Database.open(database_url)
    assert await count_votes(target) == await count_votes(source) == 60_000 + cast + 1
    assert (await contents(target))["votes"] == (await contents(source))["votes"]
    await source.close()
    await target.close()
    code, out = await run()  # now it is the bot's
    assert code == 1
    assert "contains other data" in out


async def test_what_another_team_copies_to_is_refused(tmp_path: Path, database_url: str) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        await (await filled(tmp_path / name)).close()
    await passed(tmp_path / "ours", database_url, is_final=False)
    with pytest.raises(CopyError, match="copy of another database"):
        await passed(tmp_path / "theirs", database_url)


async def test_a_source_of_another_version_is_refused(home: Path, database_url: str) -> None:
    await (await filled(home)).close()
    with contextlib.closing(sqlite3.connect(home / "fillbot.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()
    with pytest.raises(CopyError, match="start and stop this version of the bot on it once"):
        await passed(home, database_url)
    target = await Database.open(database_url)
    async with target.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(people)) == 0
    await target.close()
