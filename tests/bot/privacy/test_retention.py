"""What is too old goes before the nightly run, from the files of runs too."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs
from support.ballots import NOON, QUERY, ask, vote
from support.databases import url_for
from support.leaving import leave_run
from support.wire import settings_for

from bot.privacy.retention import Retention
from storage.database import Database
from training.pipeline import run_files

LATER = NOON + timedelta(days=40)


async def test_what_is_too_old_goes_and_is_counted(database: Database, tmp_path: Path) -> None:
    await vote(database, await ask(database, "Old [MASK]."), "cheap", 1, by=1)
    await ask(database, created_at=LATER)
    leave_run(tmp_path, 1, "Old [MASK].", QUERY)
    with capture_logs() as logs:
        await Retention(database, home=tmp_path, days=30).apply(now=LATER)
    (line,) = logs
    assert line["event"] == "retention.applied"
    assert [line[name] for name in ("votes", "predictions", "reports", "files")] == [1, 1, 0, 2]
    assert run_files.queries(tmp_path) == {QUERY}


async def test_without_a_limit_everything_is_kept(database: Database, tmp_path: Path) -> None:
    leave_run(tmp_path, 1, "Old [MASK].")
    with capture_logs() as logs:
        await Retention(database, home=tmp_path, days=None).apply(now=LATER)
    assert logs == []
    assert run_files.queries(tmp_path) == {"Old [MASK]."}


async def test_a_database_that_cannot_be_written_does_not_stop_the_night(tmp_path: Path) -> None:
    database = await Database.open(url_for(tmp_path / "fillbot.db"))
    async with database.write() as connection:
        await connection.exec_driver_sql("DROP TABLE votes")
    with capture_logs() as logs:
        await Retention(database, home=tmp_path, days=30).apply(now=LATER)
    assert logs[0]["event"] == "retention.failed"
    await database.close()


def test_a_month_is_the_least(tmp_path: Path) -> None:
    assert settings_for(tmp_path, retention_days=30).retention_days == 30
    with pytest.raises(ValidationError):
        settings_for(tmp_path, retention_days=29)
