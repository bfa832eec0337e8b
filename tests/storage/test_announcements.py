"""Announcements are stored before they are sent, claimed by one process, and deleted after delivery."""

from datetime import timedelta
from typing import Any

from support.ballots import NOON, minutes

from storage import announcements
from storage.announcements import Announcement
from storage.database import Database
from storage.people import forgetting

ADA = 1001


async def stored(database: Database, *, minute: float = 0, **about: Any) -> Announcement:
    about = {"sentence": "The disk is full.", **about}
    return await announcements.store(database, about.pop("kind", "notice"), now=minutes(minute), **about)


async def test_stored_announcements_are_due_at_once_oldest_first(database: Database) -> None:
    second, first = await stored(database, minute=2), await stored(database, minute=1)
    assert await announcements.due(database, minutes(3)) == [first, second]


async def test_a_delivered_announcement_is_deleted(database: Database) -> None:
    one = await stored(database)
    await announcements.delete_announcement(database, one.id)
    assert await announcements.due(database, minutes(1)) == []
    assert not await announcements.change(database, one.id, sentence="late")


async def test_one_process_holds_a_claim_until_it_ends(database: Database) -> None:
    one = await stored(database)
    assert await announcements.claim(database, one.id, now=minutes(1), until=minutes(3)) is not None
    assert await announcements.claim(database, one.id, now=minutes(2), until=minutes(4)) is None
    assert await announcements.due(database, minutes(2)) == []
    assert await announcements.next_due_at(database) == minutes(3)
    assert await announcements.claim(database, one.id, now=minutes(3), until=minutes(5)) is not None


async def test_claims_of_a_crashed_process_are_released(database: Database) -> None:
    one = await stored(database, claimed_until=minutes(5))
    await announcements.release_claims(database)
    assert [row.id for row in await announcements.due(database, minutes(1))] == [one.id]


async def test_a_postponed_announcement_is_due_later_or_when_discord_is_back(database: Database) -> None:
    one = await stored(database, claimed_until=minutes(5))
    await announcements.change(database, one.id, due_at=minutes(9), claimed_until=None, attempts=3)
    assert await announcements.due(database, minutes(8)) == []
    await announcements.retry_all(database, minutes(2))
    (row,) = await announcements.due(database, minutes(2))
    assert (row.attempts, row.claimed_until) == (3, None)


async def test_the_oldest_are_dropped_beyond_the_limit_but_not_of_active_runs(
    database: Database,
) -> None:
    running = await stored(database, sentence=None, kind="verdict", run_trigger="retrain")
    kept = [await stored(database, minute=minute, limit=2) for minute in (1, 2, 3)]
    rows = await announcements.due(database, minutes(4))
    assert [row.id for row in rows] == [running.id, kept[1].id, kept[2].id]


async def test_runs_with_an_announcement_are_listed(database: Database) -> None:
    await stored(database, sentence=None, kind="digest", run_trigger="nightly", run_id=7)
    await stored(database)
    assert await announcements.announced_runs(database) == {7}


async def test_erasing_a_person_keeps_the_announcement_of_their_run(database: Database) -> None:
    verdict = {"kind": "verdict", "asker_id": ADA, "guild_id": 1, "channel_id": 2, "interaction_token": "t"}
    await stored(database, **verdict)
    await stored(database, **{**verdict, "guild_id": None})  # a direct channel says who asked
    await forgetting.erase_person(database, ADA, since=None, now=NOON + timedelta(hours=1))
    (row,) = await announcements.due(database, minutes(1))
    assert (row.asker_id, row.interaction_token, row.guild_id) == (None, None, 1)
