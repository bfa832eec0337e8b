"""Copies of the votes on some queries."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select
from support.ballots import QUERY, ask, hash_of, minutes
from support.databases import url_for

from storage.database import Database
from storage.schema import candidates, people, predictions, votes
from storage.votes import copies
from storage.votes.copies import copy_votes, voted_hashes

OTHER = "other shoes are [MASK]."


async def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    async with database.read() as connection:
        return [dict(row) for row in (await connection.execute(select(table))).mappings()]


@pytest.fixture
async def copied(voted: Database, tmp_path: Path) -> Database:
    """An empty database."""
    await ask(voted, "without a vote, it is [MASK].")
    return await Database.open(url_for(tmp_path / "copy.db"))


async def test_hashes_are_those_of_queries_with_votes(voted: Database, copied: Database) -> None:
    assert await voted_hashes(voted) == sorted([hash_of(QUERY), hash_of(OTHER)])
    await copied.close()


async def test_a_copy_has_the_chosen_queries_with_their_votes_and_everybody(
    voted: Database, copied: Database
) -> None:
    await copy_votes(voted, copied, [hash_of(OTHER)])
    (prediction,) = await rows(copied, predictions)
    assert prediction in await rows(voted, predictions)
    for table in (candidates, votes):
        of_it = [row for row in await rows(voted, table) if row["prediction_id"] == prediction["id"]]
        assert await rows(copied, table) == of_it
    assert {row["cast_at"] for row in await rows(copied, votes)} == {minutes(80)}
    assert await rows(copied, people) == await rows(voted, people)
    await copied.close()


async def test_many_queries_are_copied_in_parts(
    voted: Database, copied: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "QUERIES_AT_ONCE", 1)
    await copy_votes(voted, copied, await voted_hashes(voted))
    assert len(await rows(copied, predictions)) == 2
    assert len(await rows(copied, votes)) == len(await rows(voted, votes))
    await copied.close()
