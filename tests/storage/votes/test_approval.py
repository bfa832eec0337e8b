"""The votes on a version: whose, on what, in which order; and when its watch begins."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, update
from support.ballots import NOON, ask, hash_of, minutes, vote

from storage import runs as run_records
from storage.database import Database
from storage.schema import candidates, people
from storage.votes.approval import CountedVote, promoted_at, votes_on_version

VERSION = "v0001"


async def values(database: Database, **options: Any) -> list[tuple[int, int]]:
    """(voter, value) of every counted vote."""
    votes = await votes_on_version(database, VERSION, **{"limit": 100, **options})
    return [(vote.voter_id, vote.value) for vote in votes]


async def test_votes_come_oldest_first_with_what_they_are_on(database: Database) -> None:
    prediction = await ask(database, masks=2)
    await vote(database, prediction, "ugly", -1, by=8, mask_index=1, at=minutes(2))
    await vote(database, prediction, "cheap", 1, by=9, at=minutes(1))
    query = hash_of("Nike shoes are very [MASK].")
    assert await votes_on_version(database, VERSION, limit=100) == [
        CountedVote(query, 0, 9, 1, minutes(1)),
        CountedVote(query, 1, 8, -1, minutes(2)),
    ]


async def test_another_versions_words_are_left_out(database: Database) -> None:
    prediction = await ask(database, model_version="v0002")
    await vote(database, prediction, "cheap", 1, by=9)
    assert await values(database) == []


async def test_people_who_opted_out_are_left_out(database: Database) -> None:
    prediction = await ask(database)
    for voter in (8, 9):
        await vote(database, prediction, "cheap", 1, by=voter)
    async with database.write() as connection:
        await connection.execute(insert(people), {"user_id": 8, "opted_out_at": NOON})
        await connection.execute(insert(people), {"user_id": 9, "opted_out_at": None})
    assert await values(database) == [(9, 1)]


async def test_a_word_that_was_suggested_and_not_offered_is_left_out(database: Database) -> None:
    prediction = await ask(database)
    await vote(database, prediction, "waterproof", 1, by=9, via="suggestion")
    assert await values(database) == []


async def test_a_reply_that_votes_had_adjusted_is_left_out(database: Database) -> None:
    adjusted, bare = await ask(database), await ask(database, "other [MASK]")
    async with database.write() as connection:
        await connection.execute(
            update(candidates)
            .where(candidates.c.prediction_id == adjusted, candidates.c.rank == 2)
            .values(adjusted=True)
        )
    await vote(database, adjusted, "cheap", 1, by=8)
    await vote(database, bare, "cheap", -1, by=9)
    assert await values(database) == [(9, -1)]


async def test_only_the_latest_vote_of_a_voter_on_a_word_of_a_query_counts(database: Database) -> None:
    first, again = await ask(database), await ask(database)
    await vote(database, first, "cheap", 1, by=9, at=minutes(3))
    await vote(database, again, "cheap", -1, by=9, at=minutes(4))
    await vote(database, again, "ugly", -1, by=9, at=minutes(5))
    await vote(database, again, "cheap", 1, by=8, at=minutes(1))
    assert await values(database) == [(8, 1), (9, -1), (9, -1)]


async def test_a_menu_vote_goes_before_a_later_reaction(database: Database) -> None:
    prediction = await ask(database)
    await vote(database, prediction, "cheap", -1, by=9, via="menu", at=minutes(1))
    await vote(database, prediction, "cheap", 1, by=9, via="reaction", at=minutes(2))
    assert await values(database) == [(9, -1)]


async def test_a_word_that_was_offered_twice_counts_once(database: Database) -> None:
    prediction = await ask(database, words=(("cheap", 0.4), ("cheap", 0.3)))
    await vote(database, prediction, "cheap", 1, by=9)
    assert await values(database) == [(9, 1)]


@pytest.mark.parametrize(
    ("options", "voters"),
    [
        ({"limit": 2}, [0, 1]),
        ({"limit": 2, "newest": True}, [3, 4]),
        ({"until": minutes(2)}, [0, 1, 2]),
        ({"until": minutes(2), "limit": 2, "newest": True}, [1, 2]),
    ],
)
async def test_the_oldest_or_the_newest_up_to_a_time(
    database: Database, options: dict[str, Any], voters: list[int]
) -> None:
    prediction = await ask(database)
    for voter in range(5):
        await vote(database, prediction, "cheap", 1, by=voter, at=minutes(voter))
    assert [voter for voter, _ in await values(database, **options)] == voters


async def row(
    database: Database, trigger: str, status: run_records.Status, *, at: datetime, version: str = VERSION
) -> None:
    run_id = await run_records.open_run(
        database, trigger, started_at=NOON, champion="v0000", challenger=version
    )
    if status != "open":
        await run_records.finish_run(database, run_id, status, finished_at=at)


async def test_a_version_that_a_run_promoted_is_watched_from_then_on(database: Database) -> None:
    await row(database, "nightly", "promoted", at=minutes(3))
    await row(database, "retrain", "rejected", at=minutes(4), version="v0002")
    assert await promoted_at(database, VERSION) == minutes(3)


@pytest.mark.parametrize("trigger", ["promote", "rollback"])
async def test_a_version_that_a_person_chose_is_not_watched(database: Database, trigger: str) -> None:
    await row(database, "nightly", "promoted", at=minutes(3))
    await row(database, trigger, "done", at=minutes(4))
    assert await promoted_at(database, VERSION) is None


async def test_a_failed_pointer_move_does_not_end_the_watch(database: Database) -> None:
    await row(database, "nightly", "promoted", at=minutes(3))
    await row(database, "promote", "failed", at=minutes(4))
    assert await promoted_at(database, VERSION) == minutes(3)


@pytest.mark.parametrize("status", ["open", "rejected", "failed"])
async def test_a_version_that_was_not_promoted_is_not_watched(
    database: Database, status: run_records.Status
) -> None:
    await row(database, "nightly", status, at=minutes(3))
    assert await promoted_at(database, VERSION) is None
