"""The nightly trigger: every day at a configured time, and once after a downtime that swallowed it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

LOOK_EVERY_S = 60.0  # at the clock, which may be set, or stand still while the machine sleeps
SET_BACK = timedelta(days=1)  # a clock that is set back by less does not make a night come again
NEXT_WITHIN = timedelta(hours=26) + SET_BACK  # a night is 26 hours long where clocks go back by two


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


class _Scheduler(AsyncIOScheduler):  # type: ignore[misc]  # apscheduler has no types
    """Looks at the clock again and again: a timer knows nothing of a clock that is set while it runs."""

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
    """Starts something every night; in the event loop it is opened in."""

    def __init__(self, start: Callable[[], Awaitable[None]], *, at: time, zone: ZoneInfo) -> None:
        """Call `start()` every day at `at` in `zone`."""
        self._start = start
        self._trigger = Daily(at, zone)
        self._scheduler = _Scheduler(timezone=zone)
        self._is_open = self._is_elsewhere = False

    def open(self, *, last_started_at: datetime | None, now: datetime) -> bool:
        """Begin; True when a run was missed since `last_started_at`, and is started at once.

        A start that is still to come, as after the clock was set back, was tonight's.
        """
        is_ahead = last_started_at is not None and now < last_started_at < now + SET_BACK
        self._scheduler.add_job(
            self._fire,
            self._trigger,
            id="nightly",
            next_run_time=self._trigger.get_next_fire_time(last_started_at if is_ahead else None, now),
            misfire_grace_time=None,  # however late
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
        """Begin nothing until it is opened again; a night that has begun goes on."""
        self._is_elsewhere = True
        if self._is_open:
            self._scheduler.remove_all_jobs()

    def follow(self) -> None:
        """Another process may open the same schedule."""
        self._is_elsewhere = True

    def next_at(self) -> datetime | None:
        """When the next run begins, here or where the schedule is open; None while that is nowhere."""
        if self._is_elsewhere:
            return self._trigger.get_next_fire_time(None, datetime.now(UTC))
        job = self._scheduler.get_job("nightly") if self._is_open else None
        return job.next_run_time if job else None

    def due_at(self, now: datetime) -> datetime:
        """When the night that has come last was to begin."""
        last = self._trigger.get_next_fire_time(None, now - NEXT_WITHIN)
        while (following := self._trigger.get_next_fire_time(last, now)) <= now:
            last = following
        return last

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
