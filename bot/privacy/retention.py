"""Deletes data older than `retention_days`, before each nightly run."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from storage.database import Database
from storage.errors import StorageError
from storage.people.forgetting import orphaned_queries
from storage.people.retention import delete_expired
from training.pipeline import run_files

log = structlog.stdlib.get_logger(__name__)


class Retention:
    """Deletes old votes and predictions, and their queries from run files; `days` None keeps everything."""

    def __init__(self, database: Database, *, home: Path, days: int | None) -> None:
        self._database, self._home, self._days = database, home, days

    async def apply(self, *, now: datetime) -> None:
        """Delete what has expired. What cannot be deleted now is deleted the next night."""
        if self._days is None:
            return
        try:
            expired = await delete_expired(self._database, now - timedelta(days=self._days))
            if not expired.predictions:
                files = 0
            else:
                queries = await asyncio.to_thread(run_files.queries, self._home)
                lost = await orphaned_queries(self._database, queries)
                # A run started by a person may be writing: its own files are left alone where possible.
                files = await asyncio.to_thread(run_files.drop_queries, self._home, lost) if lost else 0
        except (StorageError, OSError) as error:
            log.warning("retention.failed", reason=str(error))
            return
        log.info(
            "retention.applied",
            votes=expired.votes,
            predictions=expired.predictions,
            reports=expired.reports,
            files=files,
        )
