"""The nightly trigger: every day at a configured time, and once after a downtime that swallowed it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

GRACE_S = 6 * 3600  # a nightly run that is late by less is still started


class Daily(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Once a day at a time of day, whatever the clocks do.

    A time that is skipped in spring comes as much later as the clock was set forward; of a time that comes
    twice in autumn, the first counts. (APScheduler's CronTrigger fires twice then,
    and loses midnights in spring.)
    """

    def __init__(self, at: time, zone: ZoneInfo) -> None:
        """Fire at `at` in `zone`."""
        self._at, self._zone = at, zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first time after `previous_fire_time`, or from `now` on when there was none."""
        since = previous_fire_time or now - timedelta(microseconds=1)
        day = since.astimezone(self._zone).date() - timedelta(days=1)
        while (due := datetime.combine(day, self._at, self._zone).astimezone(UTC)) <= since:
            day += timedelta(days=1)
        return due.astimezone(self._zone)


class Nightly:
    """Starts something every night; in the event loop it is opened in."""

    def __init__(self, start: Callable[[], Awaitable[None]], *, at: time, zone: ZoneInfo) -> None:
        """Call `start()` every day at `at` in `zone`."""
        self._start = start
        self._trigger = Daily(at, zone)
        self._scheduler = AsyncIOScheduler(timezone=zone)
        self._is_open = False

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
        self._is_open = True
        return missed

    def next_at(self) -> datetime | None:
        """When the next run begins; None while the schedule is not open."""
        job = self._scheduler.get_job("nightly") if self._is_open else None
        return job.next_run_time if job else None

    def close(self) -> None:
        """Stop; call it after the run in progress was ended. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._scheduler.shutdown(wait=False)

    async def _fire(self) -> None:
        # A coroutine function itself: any other callable would be called in a thread, and nothing awaited.
        await self._start()


def is_missed(trigger: Daily, last_started_at: datetime, now: datetime) -> bool:
    """Whether the trigger should have fired between the last start and now."""
    return trigger.get_next_fire_time(last_started_at, now) <= now
