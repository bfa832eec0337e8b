"""What stands in the file about a person, beside what the tests over the wire look at."""

import json

from support.ballots import ask, minutes, vote

from bot.privacy.mydata import export_personal_data
from storage.database import Database
from storage.runs import finish_run, open_run


async def test_a_run_is_told_once_with_the_version_that_it_made(database: Database) -> None:
    await vote(database, await ask(database), "cheap", 1, by=7)
    run_id = await open_run(database, "nightly", started_at=minutes(5), champion="v1", challenger="v2")
    await finish_run(database, run_id, "promoted", finished_at=minutes(6))
    made = await export_personal_data(database, 7, versions=(), limit_bytes=10_000)
    (run,) = json.loads(made.content)["runs_that_read_your_votes"]
    assert run == {"version": "v2", "id": run_id, "as_of": minutes(5).isoformat(), "status": "promoted"}
