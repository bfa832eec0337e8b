"""The table of shared model versions: changes are whole, in turn, and never leave two champions."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from storage.database import Database
from storage.model_versions import (
    ModelVersion,
    change_model_versions,
    read_model_versions,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def next_number(rows: Sequence[ModelVersion]) -> list[ModelVersion]:
    return [ModelVersion(number=len(rows) + 1, created_at=NOON)]


async def test_a_row_is_read_as_it_was_written(database: Database) -> None:
    row = ModelVersion(
        number=7,
        kind="night",
        folder="v0007-ab",
        card_hash="c" * 64,
        created_at=NOON,
        is_champion=True,
        moved_at=NOON,
        moved_by="vienna",
        withdrawn_at=NOON,
        deleted_at=NOON,
    )
    assert await change_model_versions(database, lambda _: [row]) == [replace(row, revision=1)]
    assert await read_model_versions(database) == [replace(row, revision=1)]


async def test_changes_at_once_follow_one_another(database: Database) -> None:
    await asyncio.gather(*(change_model_versions(database, next_number) for _ in range(8)))
    rows = await read_model_versions(database)
    assert [(row.number, row.revision) for row in rows] == [(number, number) for number in range(1, 9)]


@pytest.mark.parametrize("flag", ["is_champion", "is_domain"])
async def test_the_database_refuses_two_of_a_kind(database: Database, flag: str) -> None:
    first, second = (
        ModelVersion(
            number=n, created_at=NOON, is_champion=flag == "is_champion", is_domain=flag == "is_domain"
        )
        for n in (1, 2)
    )
    await change_model_versions(database, lambda _: [first])
    with pytest.raises(IntegrityError):
        await change_model_versions(database, lambda _: [second])
    assert [row.number for row in await read_model_versions(database)] == [1]


async def test_a_pointer_moves_in_one_change(database: Database) -> None:
    rows = [ModelVersion(number=n, created_at=NOON, is_champion=n == 1) for n in (1, 2)]
    await change_model_versions(database, lambda _: rows)
    await change_model_versions(
        database, lambda rows: [replace(row, is_champion=not row.is_champion) for row in rows]
    )
    assert [row.is_champion for row in await read_model_versions(database)] == [False, True]


async def test_a_decision_that_raises_changes_nothing(database: Database) -> None:
    def refuse(_: Sequence[ModelVersion]) -> list[ModelVersion]:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await change_model_versions(database, refuse)
    assert await read_model_versions(database) == []
