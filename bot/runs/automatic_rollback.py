"""Automatic rollback: undo a promotion when live approval falls clearly below the previous champion's.

Every check reads all votes from the database, so that a restart loses nothing. A champion that a person
chose, by promoting or rolling back, is never checked.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.announcements.report_channel import ReportChannel
from bot.answering.champion_follower import BotChampionFollower
from bot.embeds.replies import percent
from bot.runs.approval_comparison import Comparison, compare, within_share
from bot.runs.training_runs import TrainingRuns
from bot.texts import say
from storage import runs as run_records
from storage.database import Database
from storage.errors import StorageError
from storage.sentences import Sentence
from storage.votes.approval import promoted_at, votes_on_version
from training.errors import NoChampionError, NoEarlierVersionError, RegistryError, TrainingError
from training.registry import promotion
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
PREVIOUS_VOTES = 400  # the newest on the previous champion: the taste of a team changes with time
WATCHED_VOTES = 2000  # the first on the champion; votes after these no longer change the result


@dataclass(frozen=True, slots=True)
class PromotionComparison:
    """The champion that a run promoted, the version before it, and how their votes compare."""

    champion: str
    previous: str
    comparison: Comparison


class AutomaticRollback:
    """Compares the approval of the champion and the version before it, and rolls back on a clear loss.

    Args:
        database: holds the votes and the runs.
        registry: holds the champion pointer.
        follower: reloads after a rollback.
        runs: its `moving` lock is held while the pointer moves.
        reports: gets the notices.
        min_voters: with fewer voters, the share is computed as if there were this many.
        prefix: what commands begin with, in the notices; known after the login.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        *,
        follower: BotChampionFollower,
        runs: TrainingRuns,
        reports: ReportChannel,
        min_voters: int,
        prefix: Callable[[], str],
    ) -> None:
        self._database, self._registry = database, registry
        self._follower, self._runs, self._reports = follower, runs, reports
        self._min_voters, self._prefix = min_voters, prefix
        self._reported: set[str] = set()  # champions whose failed rollback has been reported

    async def run(self, *, every_s: float) -> None:
        """Check forever. A check that fails because data cannot be read is repeated next time."""
        while True:
            try:
                await self.check()
            except (StorageError, TrainingError) as error:
                log.warning("rollback.not_checked", reason=str(error))
            await asyncio.sleep(every_s)

    async def check(self) -> bool:
        """Check once. Returns True if the champion was rolled back and the version before it serves.

        Raises:
            StorageError: the database cannot be used.
            TrainingError: the previous version cannot serve; the report channel gets one notice.
        """
        watched = await self.compare()
        if watched is None or not watched.comparison.is_loss:
            return False
        champion, previous = watched.champion, watched.previous
        try:
            if not await self._roll_back(champion, previous):
                return False
        except TrainingError as error:
            if champion not in self._reported:
                self._reported.add(champion)
                await self._reports.post_notice(
                    say("automatic_rollback.stuck", figure=_sentence(watched), champion=champion, error=error)
                )
            raise
        await self._follower.follow_champion(again=True)
        log.warning(
            "model.rolled_back",
            model_version=previous,
            previous=champion,
            fall=round(watched.comparison.fall, 4),
            p_value=watched.comparison.p_value,
        )
        await self._reports.post_notice(
            say(
                "automatic_rollback.rolled_back",
                champion=champion,
                previous=previous,
                figure=_sentence(watched),
                prefix=self._prefix(),
            ),
            run=await run_records.latest(self._database, "rollback"),
        )
        return True

    async def compare(self) -> PromotionComparison | None:
        """Compare the champion with the version before it; None if it is not checked, or has no votes yet.

        Raises:
            StorageError: the database cannot be read.
            RegistryError: the champion cannot be determined.
        """
        champion = self._registry.champion()
        if champion is None or champion in self._registry.withdrawn():
            return None
        if (since := await promoted_at(self._database, champion)) is None:
            return None
        try:
            previous = self._registry.previous(champion)
        except (NoChampionError, NoEarlierVersionError):
            return None
        new = await votes_on_version(self._database, champion, limit=WATCHED_VOTES)
        if not new:
            return None
        old = await votes_on_version(self._database, previous, limit=PREVIOUS_VOTES, newest=True, until=since)
        sides = (within_share(arm, min_voters=self._min_voters) for arm in (old, new))
        return PromotionComparison(champion, previous, compare(*sides))

    async def figure(self) -> str:
        """Return the champion's approval as a sentence for a report; empty if there is nothing to compare."""
        try:
            watched = await self.compare()
        except (StorageError, RegistryError) as error:
            log.warning("rollback.not_checked", reason=str(error))
            return ""
        if watched is None or not watched.comparison.old.votes:
            return ""
        is_small = watched.comparison.is_shown and not watched.comparison.is_loss
        return (
            say("automatic_rollback.small_fall", figure=_sentence(watched))
            if is_small
            else _sentence(watched)
        )

    async def _roll_back(self, champion: str, previous: str) -> bool:
        """Move the pointer. Returns False if it moved meanwhile, and nothing needs to be rolled back."""
        now = datetime.now(UTC)
        async with self._runs.moving:
            if self._registry.champion() != champion:
                return False
            # Before moving the pointer: a run that is about to promote then finds its row closed and stops.
            await run_records.end_open_training(
                self._database,
                Sentence("{version}, its champion, was rolled back meanwhile", version=champion),
                now=now,
            )
            if self._registry.champion() != champion:
                return False
            await promotion.roll_back(self._registry, self._database, previous, now=now)
        return True


def _sentence(watched: PromotionComparison) -> str:
    old, new = watched.comparison.old, watched.comparison.new
    kind = "paired" if watched.comparison.is_paired else "all"
    return say(
        f"automatic_rollback.figures.{kind}",
        champion=watched.champion,
        previous=watched.previous,
        new=percent(new.share),
        old=percent(old.share),
        new_votes=new.votes,
        old_votes=old.votes,
    )
