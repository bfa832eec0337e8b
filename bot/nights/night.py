"""What happens every night, in order: old data goes, a backup is made, a run learns, people are told."""

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.errors import RunBusyError
from bot.nights.reports import Reports
from bot.nights.runs import Runs
from bot.nights.watch import Watch
from bot.operations.backups import Backups
from bot.privacy.retention import Retention

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Night:
    """The parts of a night."""

    runs: Runs
    reports: Reports
    watch: Watch
    retention: Retention
    backups: Backups

    async def run(self) -> None:
        """Have one; it is skipped while a run is in progress."""
        await self.retention.apply(now=datetime.now(UTC))
        await self.backups.make()
        figure = await self.watch.figure()  # of the champion that the run meets
        try:
            end = await self.runs.begin("nightly")
        except RunBusyError:
            log.info("nightly.skipped", reason="a run is in progress")
            return
        await self.reports.post_digest(end, figure=figure)
