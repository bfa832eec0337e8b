"""Rows of runs, as `storage.runs` reads them."""

from datetime import UTC, datetime
from typing import Any

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
