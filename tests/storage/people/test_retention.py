"""Rows older than the retention period are deleted in small transactions."""

from sqlalchemy import select
from support.ballots import NOON, QUERY, ask, minutes, vote

from storage.database import Database
from storage.people.retention import Expired, delete_expired
from storage.runs import finish_run, get_run, open_run
from storage.schema import predictions, votes


async def ids(database: Database, column: object = predictions.c.id) -> list[int]:
    async with database.read() as connection:
        return sorted((await connection.execute(select(column))).scalars())


async def test_old_votes_and_predictions_without_votes_are_deleted(database: Database) -> None:
    old = await ask(database, "Old [MASK].")
    voted = await ask(database, "Old but voted on [MASK].")
    new = await ask(database, created_at=minutes(10))
    await vote(database, old, "cheap", 1, by=1, at=minutes(1))
    await vote(database, voted, "cheap", 1, by=1, at=minutes(1))
    await vote(database, voted, "ugly", 1, by=2, at=minutes(11))
    assert await delete_expired(database, minutes(10)) == Expired(votes=2, predictions=1, reports=0)
    assert await ids(database) == [voted, new]
    assert await ids(database, votes.c.voter_id) == [2]
    assert await delete_expired(database, minutes(10)) == Expired(0, 0, 0)


async def test_many_rows_are_deleted_in_batches(database: Database) -> None:
    for number in range(7):
        prediction_id = await ask(database, f"Old [MASK] {number}.")
        await vote(database, prediction_id, "cheap", 1, by=number)
    kept = await ask(database, created_at=minutes(10))
    assert await delete_expired(database, minutes(10), batch=3) == Expired(votes=7, predictions=7, reports=0)
    assert await ids(database) == [kept]


async def test_reports_name_no_deleted_query(database: Database) -> None:
    await ask(database)
    await ask(database, "New [MASK].", created_at=minutes(10))
    run_id = await open_run(database, "nightly", started_at=NOON, champion="v0001")
    report = {"changes": [{"query": QUERY}, {"query": "New [MASK]."}]}
    await finish_run(database, run_id, "promoted", finished_at=NOON, report=report)
    assert (await delete_expired(database, minutes(10))).reports == 1
    run = await get_run(database, run_id)
    assert run is not None
    assert run.report == {"changes": [{"query": "New [MASK]."}]}
