"""What stands in the file about a person, beside what the tests over the wire look at."""

import json

from support.ballots import ask, minutes, vote

from bot.privacy.mydata import export_personal_data
from storage import announcements
from storage.database import Database
from storage.runs import finish_run, open_run
from storage.team_words import change_word


async def test_a_run_is_told_once_with_the_version_that_it_made(database: Database) -> None:
    await vote(database, await ask(database), "cheap", 1, by=7)
    run_id = await open_run(database, "nightly", started_at=minutes(5), champion="v1", challenger="v2")
    await finish_run(database, run_id, "promoted", finished_at=minutes(6))
    made = await export_personal_data(database, 7, versions=(), limit_bytes=10_000)
    (run,) = json.loads(made.content)["runs_that_read_your_votes"]
    assert run == {"version": "v2", "id": run_id, "as_of": minutes(5).isoformat(), "status": "promoted"}


async def test_decisions_as_an_admin_are_listed(database: Database) -> None:
    await change_word(database, "denied", "ugly", is_added=True, by=7, champion="v1", now=minutes(5))
    await change_word(database, "denied", "drab", is_added=True, by=8, champion="v1", now=minutes(6))
    made = await export_personal_data(database, 7, versions=(), limit_bytes=10_000)
    (one,) = json.loads(made.content)["decisions_as_an_admin"]
    assert one["report"] == {"action": "add", "word": "ugly", "by": "discord:7"}
    assert one["finished_at"] == minutes(5).isoformat()


async def test_what_is_still_to_be_told_to_a_person_is_listed(database: Database) -> None:
    place = {"guild_id": 2**60, "channel_id": 2**60 + 1, "interaction_token": "t0ken"}
    about = {"run_trigger": "retrain", "sentence": "v0002 serves now.", "now": minutes(5)}
    await announcements.store(database, "verdict", asker_id=7, **about, **place)
    await announcements.store(database, "verdict", asker_id=8, **about, **place)
    made = await export_personal_data(database, 7, versions=(), limit_bytes=10_000)
    (one,) = json.loads(made.content)["announcements_not_sent_yet"]
    assert (one["sentence"], one["run_trigger"]) == ("v0002 serves now.", "retrain")
    assert (one["channel_id"], one["created_at"]) == (str(2**60 + 1), minutes(5).isoformat())
    assert b"t0ken" not in made.content
