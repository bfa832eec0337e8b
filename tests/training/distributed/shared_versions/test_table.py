"""The table of shared versions without `await`."""

import gc
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from storage.errors import StorageError
from storage.model_versions import ModelVersion
from training.distributed.shared_versions import table as table_module
from training.distributed.shared_versions.table import ModelVersionTable


def next_number(rows: Sequence[ModelVersion]) -> list[ModelVersion]:
    return [ModelVersion(number=len(rows) + 1, created_at=datetime(2026, 3, 1, 12, tzinfo=UTC))]


async def test_the_table_is_read_and_changed_in_a_thread_with_a_running_loop(database_url: str) -> None:
    table = ModelVersionTable(database_url)
    assert table.change(next_number).highest == 1
    assert [row.number for row in table.rows()] == [1]


def test_the_connection_closes_without_a_warning_when_the_table_is_garbage(database_url: str) -> None:
    ModelVersionTable(database_url).rows()
    gc.collect()
    ModelVersionTable(database_url).rows()


def test_a_database_that_does_not_answer_is_an_error(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "CALL_TIMEOUT_S", 0.0)
    with pytest.raises(StorageError, match="no answer"):
        ModelVersionTable(database_url).rows()
