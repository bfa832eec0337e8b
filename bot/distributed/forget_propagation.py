"""What this process keeps beside the database that others share: gone when somebody is forgotten elsewhere.

The process in which a person asks to be forgotten cleans the database, and its own home. The others see in
the database that somebody was forgotten, not who, and drop whatever may be about them: answers in memory, and
results of runs from before, which nobody needs any more. They do the same when they start.
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
    """Looks into the database now and then."""

    def __init__(self, home: Path, database: Database, predictor: Predictor) -> None:
        """Take what is kept here."""
        self._home, self._database, self._predictor = home, database, predictor
        self._seen: datetime | None = None  # when somebody was forgotten, as of the last look

    async def run(self) -> None:
        """Drop what is old when somebody was forgotten; what cannot be dropped now is tried again."""
        while True:
            try:
                last = await last_forgotten_at(self._database)
                if last is not None and last != self._seen:
                    await self.drop(last)
                    self._seen = last
            except (StorageError, OSError) as error:
                log.warning("leftovers.failed", reason=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def drop(self, forgotten_at: datetime) -> None:
        """Drop what may be about somebody who was forgotten then."""
        self._predictor.clear_cache()
        runs = await asyncio.to_thread(run_files.delete_results_before, self._home, forgotten_at)
        queries = await asyncio.to_thread(run_files.queries, self._home)
        lost = await orphaned_queries(self._database, queries)
        await asyncio.to_thread(run_files.drop_queries, self._home, lost)
        told = self._home / "training.log"
        if told.is_file() and told.stat().st_mtime < forgotten_at.timestamp():
            told.unlink(missing_ok=True)
        log.info("leftovers.dropped", runs=runs)
