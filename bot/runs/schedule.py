"""The nightly schedule: once a day at a configured time, and once after a downtime that missed it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

LOOK_EVERY_S = 60.0  # the clock may be set, or stand still while the machine sleeps
SET_BACK = timedelta(days=1)  # setting the clock back by less does not repeat a nightly run
NEXT_WITHIN = timedelta(hours=26) + SET_BACK  # a day has 26 hours where clocks go back by two


class Daily(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Fires once a day at a wall-clock time, through daylight-saving changes.

    A time that is skipped in spring fires later by the shift; of a time that occurs twice in autumn, the
    first counts. (APScheduler's CronTrigger fires twice in autumn, and misses midnights in spring.)
    """

    def __init__(self, at: time, zone: ZoneInfo) -> None:
        self._at, self._zone = at, zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the first time after `previous_fire_time`, or from `now` on if that is None."""
        since = previous_fire_time or now - timedelta(microseconds=1)
        day = since.astimezone(self._zone).date() - timedelta(days=1)
        while (due := datetime.combine(day, self._at, self._zone).astimezone(UTC)) <= since:
            day += timedelta(days=1)
        return due.astimezone(self._zone)


class _Scheduler(AsyncIOScheduler):  # type: ignore[misc]  # apscheduler has no types
    """Rechecks the clock every `LOOK_EVERY_S`: a timer does not notice that the clock was set."""

    def _process_jobs(self) -> float | None:
        now = datetime.now(UTC)
        for job in self.get_jobs():
            if (
                job.next_run_time is not None and job.next_run_time - now > NEXT_WITHIN
            ):  # the clock ran far ahead, and was set back
                job.modify(next_run_time=job.trigger.get_next_fire_time(None, now))
        wait_s: float | None = super()._process_jobs()
        return None if wait_s is None else min(wait_s, LOOK_EVERY_S)


class NightlySchedule:
    """Calls `start()` every night, in the event loop in which it is opened."""

    def __init__(self, start: Callable[[], Awaitable[None]], *, at: time, zone: ZoneInfo) -> None:
        self._start = start
        self._trigger = Daily(at, zone)
        self._scheduler = _Scheduler(timezone=zone)
        self._is_open = self._is_elsewhere = False

    def open(self, *, last_started_at: datetime | None, now: datetime) -> bool:
        """Start the schedule. Returns True if a run was missed since `last_started_at`; it starts at once.

        A `last_started_at` in the future, as after the clock was set back, counts as tonight's run.
        """
        is_ahead = last_started_at is not None and now < last_started_at < now + SET_BACK
        self._scheduler.add_job(
            self._fire,
            self._trigger,
            id="nightly",
            next_run_time=self._trigger.get_next_fire_time(last_started_at if is_ahead else None, now),
            misfire_grace_time=None,  # a late run is better than none
            coalesce=True,
            max_instances=1,
        )
        missed = last_started_at is not None and is_missed(self._trigger, last_started_at, now)
        if missed:
            self._scheduler.add_job(self._fire, id="catch-up", misfire_grace_time=None)
        if not self._is_open:
            self._scheduler.start()
        self._is_open, self._is_elsewhere = True, False
        return missed

    def rest(self) -> None:
        """Start no run until the schedule is opened again; a run in progress continues."""
        self._is_elsewhere = True
        if self._is_open:
            self._scheduler.remove_all_jobs()

    def follow(self) -> None:
        """Report the next time although another process runs the schedule."""
        self._is_elsewhere = True

    def next_at(self) -> datetime | None:
        """When the next run starts, here or in the leader; None while the schedule is closed."""
        if self._is_elsewhere:
            return self._trigger.get_next_fire_time(None, datetime.now(UTC))
        job = self._scheduler.get_job("nightly") if self._is_open else None
        return job.next_run_time if job else None

    def due_at(self, now: datetime) -> datetime:
        """When the latest nightly run was scheduled."""
        last = self._trigger.get_next_fire_time(None, now - NEXT_WITHIN)
        while (following := self._trigger.get_next_fire_time(last, now)) <= now:
            last = following
        return last

    def close(self) -> None:
        """Stop the schedule, after the run in progress has ended. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._scheduler.shutdown(wait=False)

    async def _fire(self) -> None:
        # APScheduler awaits only coroutine functions; it calls anything else in a thread.
        await self._start()


def is_missed(trigger: Daily, last_started_at: datetime, now: datetime) -> bool:
    """Whether the trigger should have fired between the last start and now."""
    return trigger.get_next_fire_time(last_started_at, now) <= now
