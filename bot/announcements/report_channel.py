"""The report channel, which gets the morning digests and notices of problems."""

from bot.announcements.announcer import Announcer, PendingAnnouncement
from bot.runs.training_runs import RunEnd
from storage.runs import Run


class ReportChannel:
    """Posts to the report channel; does nothing without one."""

    def __init__(self, announcements: Announcer, *, channel_id: int | None) -> None:
        self._announcements, self._channel_id = announcements, channel_id

    async def expect_digest(self, *, figure: str) -> PendingAnnouncement | None:
        """Store, before a nightly run starts, that its digest is to be posted; None without a channel.

        Raises:
            StorageError: it cannot be stored.
        """
        if self._channel_id is None:
            return None
        return await self._announcements.expect("digest", "nightly", figure=figure)

    async def post_digest(self, end: RunEnd, *, figure: str = "") -> None:
        """Post how a nightly run ended; `figure` is the approval sentence."""
        if self._channel_id is not None:
            await self._announcements.post("digest", end, figure=figure)

    async def take_buttons(self, run: Run) -> None:
        """Remove the buttons from the verdict of a run, wherever it was posted.

        Raises:
            StorageError: the database cannot be read.
        """
        await self._announcements.take_buttons(run)

    async def post_notice(self, sentence: str, *, run: Run | None = None) -> None:
        """Post a notice of a problem, of something that was repaired, or of how a run ended."""
        if self._channel_id is not None:
            await self._announcements.post("notice", RunEnd(run, sentence))
