"""The nightly trigger: every day at a configured time, and once after a downtime that swallowed it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, time
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

GRACE_S = 6 * 3600  # a nightly run that is late by less is still started


class Daily(CronTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Every day at a time of day; once, too, when the clock is set back and that time comes twice."""

    def __init__(self, at: time, zone: ZoneInfo) -> None:
        """Fire at `at` in `zone`; a time that the clock skips in spring is made up for an hour later."""
        super().__init__(hour=at.hour, minute=at.minute, timezone=zone)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The next time after `previous_fire_time`, or from `now` on when there was none."""
        due: datetime | None = super().get_next_fire_time(previous_fire_time, now)
        if due is not None and due.fold:  # the second of two equal times of day
            due = super().get_next_fire_time(due, due)
        return due


class Nightly:
    """Starts something every night; in the event loop it is opened in."""

    def __init__(self, start: Callable[[], Awaitable[None]], *, at: time, zone: ZoneInfo) -> None:
        """Call `start()` every day at `at` in `zone`."""
        self._start = start
        self._trigger = Daily(at, zone)
        self._scheduler = AsyncIOScheduler(timezone=zone)

    def open(self, *, last_started_at: datetime | None, now: datetime) -> bool:
        """Begin; True when a run was missed since `last_started_at`, and is started at once."""
        self._scheduler.add_job(
            self._fire,
            self._trigger,
            id="nightly",
            misfire_grace_time=GRACE_S,
            coalesce=True,
            max_instances=1,
        )
        missed = last_started_at is not None and is_missed(self._trigger, last_started_at, now)
        if missed:
            self._scheduler.add_job(self._fire, id="catch-up", misfire_grace_time=None)
        self._scheduler.start()
        return missed

    def next_at(self) -> datetime | None:
        """When the next run begins; None while the schedule is not open."""
        job = self._scheduler.get_job("nightly") if self._scheduler.running else None
        return job.next_run_time if job else None

    def close(self) -> None:
        """Stop; call it after the run in progress was ended. Idempotent."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _fire(self) -> None:
        # A coroutine function itself: any other callable would be called in a thread, and nothing awaited.
        await self._start()


def is_missed(trigger: Daily, last_started_at: datetime, now: datetime) -> bool:
    """Whether the trigger should have fired between the last start and now."""
    due = trigger.get_next_fire_time(last_started_at, last_started_at)
    return due is not None and due <= now
