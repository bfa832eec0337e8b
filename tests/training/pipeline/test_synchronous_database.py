"""The database without `await`."""

from pathlib import Path

import pytest
from support.ballots import NOON

from storage import runs
from storage.errors import DatabaseUnavailableError
from training.pipeline.synchronous_database import Records, now


def test_functions_of_storage_are_called_without_await(database_url: str) -> None:
    with Records(database_url) as records:
        run_id = records.call(runs.open_run, "nightly", started_at=NOON, champion=None)
        assert records.run(lambda database: runs.get_run(database, run_id)).id == run_id
    with Records(database_url) as records:  # closed and opened again
        assert records.call(runs.get_run, run_id).status == "open"


def test_a_database_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "fillbot.db").mkdir()
    with pytest.raises(DatabaseUnavailableError), Records(f"sqlite+aiosqlite:///{tmp_path / 'fillbot.db'}"):
        pass


def test_the_time_is_aware() -> None:
    assert now().utcoffset() is not None
