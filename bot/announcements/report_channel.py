"""The report channel, where the morning digest of nightly runs and trouble are told."""

from bot.announcements.announcer import Announcer, PendingAnnouncement
from bot.runs.training_runs import RunEnd


class ReportChannel:
    """Posts to one channel, or nowhere when there is none."""

    def __init__(self, announcements: Announcer, *, channel_id: int | None) -> None:
        """Take what tells until Discord has taken it."""
        self._announcements, self._channel_id = announcements, channel_id

    async def expect_digest(self, *, figure: str) -> PendingAnnouncement | None:
        """Store, before a night's run begins, that its digest is to be posted; None: nowhere.

        `figure`: what people like.

        Raises:
            StorageError: it cannot be stored.
        """
        if self._channel_id is None:
            return None
        return await self._announcements.expect("digest", "nightly", figure=figure)

    async def post_digest(self, end: RunEnd, *, figure: str = "") -> None:
        """Tell how a night ended, with a picture where something was learnt; `figure`: what people like."""
        if self._channel_id is not None:
            await self._announcements.post("digest", end, figure=figure)

    async def post_notice(self, sentence: str) -> None:
        """Tell of trouble."""
        if self._channel_id is not None:
            await self._announcements.post("notice", RunEnd(None, sentence))
