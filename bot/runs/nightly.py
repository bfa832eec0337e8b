"""The bot's part of a nightly run: delete expired data, back up, start the training process, post the digest.

The steps of that process are in `training/pipeline/nightly.py`.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.announcements.announcer import PendingAnnouncement
from bot.announcements.report_channel import ReportChannel
from bot.errors import RunBusyError
from bot.operations.backups import NightlyBackup
from bot.privacy.retention import Retention
from bot.runs.automatic_rollback import AutomaticRollback
from bot.runs.training_runs import TrainingRuns
from storage.errors import StorageError

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NightlyRun:
    """The nightly run; `due_at` gives its scheduled time where another process may already have run it."""

    runs: TrainingRuns
    reports: ReportChannel
    rollback: AutomaticRollback
    retention: Retention
    backups: NightlyBackup
    due_at: Callable[[], datetime] | None = None

    async def run(self) -> None:
        """Run once; skipped while another run is in progress."""
        due_at = self.due_at() if self.due_at is not None else None
        if due_at is not None and await self.runs.has_begun("nightly", since=due_at):
            log.info("nightly.skipped", reason="another process ran it")
            return
        await self.retention.apply(now=datetime.now(UTC))
        await self.backups.make()
        figure = await self.rollback.figure()  # read first: it is about the champion before this run
        expected = await self._expected(figure)
        async with expected or contextlib.nullcontext():
            try:
                run = self.runs.begin(
                    "nightly", unless_since=due_at, on_opened=expected.opened if expected else None
                )
            except RunBusyError:
                await _withdraw(expected, "a run is in progress")
                return
            end = await run
            if end.run is None and due_at is not None and await self.runs.has_begun("nightly", since=due_at):
                await _withdraw(expected, "another process was first")
                return
            if expected is not None:
                await expected.conclude(end)
            else:
                await self.reports.post_digest(end, figure=figure)

    async def _expected(self, figure: str) -> PendingAnnouncement | None:
        """Store the announcement of the digest; None without a report channel, or if storing fails."""
        try:
            return await self.reports.expect_digest(figure=figure)
        except StorageError as error:
            log.warning("digest.not_expected", reason=str(error))
            return None


async def _withdraw(expected: PendingAnnouncement | None, reason: str) -> None:
    log.info("nightly.skipped", reason=reason)
    if expected is not None:
        await expected.withdraw()
