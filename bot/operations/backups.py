"""The nightly backup of the database. A failure is reported and does not stop the nightly run."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import structlog

from bot.announcements.report_channel import ReportChannel
from bot.operations.metrics import Metrics
from bot.texts import say
from storage.errors import BackupError
from storage.maintenance.backups import back_up_today, last_made_at

log = structlog.stdlib.get_logger(__name__)


class NightlyBackup:
    """Makes the nightly backup and reports failures.

    Does nothing without a database file or if `keep` is 0.
    """

    def __init__(
        self, database: Path | None, folder: Path, *, keep: int, reports: ReportChannel, metrics: Metrics
    ) -> None:
        self._database, self._folder, self._keep = database, folder, keep
        self._reports, self._metrics = reports, metrics
        self.making = asyncio.Lock()  # forgetting waits for it: the copy in progress may hold data to erase

    async def make(self) -> None:
        """Back up today's state. A failure is logged and posted to the report channel, never raised."""
        if self._database is None or not self._keep:
            return
        today = datetime.now(UTC).date()
        try:
            async with self.making:
                path = await asyncio.to_thread(
                    back_up_today, self._database, self._folder, keep=self._keep, today=today
                )
        except BackupError as error:
            self._metrics.backup(is_done=False)
            log.error("backup.failed", reason=str(error))  # noqa: TRY400  the reason says it all
            await self._reports.post_notice(say("backup.failed", reason=error))
            return
        self._metrics.backup(is_done=True)
        log.info("backup.made", file=path.name, bytes=path.stat().st_size)

    def last_made_s(self) -> float:
        """Unix time of the newest backup; 0 without any."""
        made_at = last_made_at(self._folder)
        return made_at.timestamp() if made_at else 0.0
