"""The database without `await`."""

from pathlib import Path

import pytest
from support.ballots import NOON

from storage import runs
from storage.errors import DatabaseUnavailableError
from training.synchronous_database import SynchronousDatabase, now


def test_functions_of_storage_are_called_without_await(database_url: str) -> None:
    with SynchronousDatabase.open(database_url) as database:
        run_id = database.call(runs.open_run, "nightly", started_at=NOON, champion=None)
        assert database.call(runs.get_run, run_id).id == run_id
    with SynchronousDatabase.open(database_url) as database:  # closed and opened again
        assert database.call(runs.get_run, run_id).status == "open"


def test_a_database_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "fillbot.db").mkdir()
    with (
        pytest.raises(DatabaseUnavailableError),
        SynchronousDatabase.open(f"sqlite+aiosqlite:///{tmp_path / 'fillbot.db'}"),
    ):
        pass


def test_the_time_is_aware() -> None:
    assert now().utcoffset() is not None
