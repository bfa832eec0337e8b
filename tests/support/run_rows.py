"""Rows of runs, as `storage.runs` reads them."""

from datetime import UTC, datetime
from typing import Any

from storage import runs as run_records
from storage.database import Database
from storage.runs import Run

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def promoted_run(**changed: Any) -> Run:
    """A nightly run that promoted v0002 over v0001, but for the columns named."""
    columns: dict[str, Any] = {
        "id": 1,
        "trigger": "nightly",
        "status": "promoted",
        "started_at": NOON,
        "finished_at": NOON,
        "as_of": NOON,
        "retraining_set_hash": None,
        "champion": "v0001",
        "challenger": "v0002",
        "verdict": None,
        "report": None,
    }
    return Run(**columns | changed)


async def stored_run(database: Database, trigger: str, status: str, *, champion: str, challenger: str) -> Run:
    """Store a run that made a version and finished now."""
    now = datetime.now(UTC)
    run_id = await run_records.open_run(
        database, trigger, started_at=now, champion=champion, challenger=challenger
    )
    await run_records.finish_run(database, run_id, status, finished_at=now)
    run = await run_records.get_run(database, run_id)
    assert run is not None
    return run
