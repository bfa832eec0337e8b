"""Deletes what this process keeps outside a shared database, after a person was forgotten in another process.

The process that handles a request to be forgotten cleans the database and its own home. The others see in the
database that a person was forgotten, not who, and delete whatever may be about them: cached answers, and the
results of earlier runs, which are no longer needed. They do the same when they start.
"""

import asyncio
from datetime import datetime
from pathlib import Path

import structlog

from bot.answering.predictor import Predictor
from storage.database import Database
from storage.errors import StorageError
from storage.people.forgetting import orphaned_queries
from storage.people.tombstones import last_forgotten_at
from training.pipeline import run_files

log = structlog.stdlib.get_logger(__name__)
LOOK_EVERY_S = 5.0


class ForgetPropagation:
    """Polls the database for tombstones newer than the last one seen."""

    def __init__(self, home: Path, database: Database, predictor: Predictor) -> None:
        self._home, self._database, self._predictor = home, database, predictor
        self._seen: datetime | None = None  # time of the newest tombstone handled

    async def run(self) -> None:
        """Poll forever; a deletion that fails is retried."""
        while True:
            try:
                last = await last_forgotten_at(self._database)
                if last is not None and last != self._seen:
                    await self.drop(last)
                    self._seen = last
            except (StorageError, OSError) as error:
                log.warning("forget_propagation.failed", reason=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def drop(self, forgotten_at: datetime) -> None:
        """Delete what may be about a person who was forgotten at that time."""
        self._predictor.clear_cache()
        runs = await asyncio.to_thread(run_files.delete_results_before, self._home, forgotten_at)
        queries = await asyncio.to_thread(run_files.queries, self._home)
        lost = await orphaned_queries(self._database, queries)
        await asyncio.to_thread(run_files.drop_queries, self._home, lost)
        log_file = self._home / "training.log"
        if log_file.is_file() and log_file.stat().st_mtime < forgotten_at.timestamp():
            log_file.unlink(missing_ok=True)
        log.info("forget_propagation.done", runs=runs)
