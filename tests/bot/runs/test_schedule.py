import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.runs.schedule import Daily, NightlySchedule, is_missed

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "last", "now", "missed"),
    [
        # at 03:00, last run the night before
        ("03:00", "2026-03-10 03:00:01", "2026-03-11 02:59:59", False),
        ("03:00", "2026-03-10 03:00:01", "2026-03-11 03:00:00", True),
        ("03:00", "2026-03-10 03:00:01", "2026-03-15 12:00:00", True),
        ("03:00", "2026-03-10 03:00:01", "2026-03-10 03:00:02", False),
        # a run that was caught up at noon does not replace the next night's
        ("03:00", "2026-03-10 12:00:00", "2026-03-10 23:00:00", False),
        ("03:00", "2026-03-10 12:00:00", "2026-03-11 03:00:01", True),
        # a run that began before its time (the clock was changed) does not count for it
        ("03:00", "2026-03-10 02:59:00", "2026-03-10 03:00:00", True),
        # the clock goes forward on 29 March 2026: 02:00 → 03:00
        ("03:00", "2026-03-28 03:00:01", "2026-03-29 03:00:00", True),
        ("03:00", "2026-03-28 03:00:01", "2026-03-29 01:59:59", False),
        ("02:30", "2026-03-28 02:30:01", "2026-03-29 03:29:59", False),  # 02:30 does not exist: 03:30
        ("02:30", "2026-03-28 02:30:01", "2026-03-29 03:30:00", True),
        ("02:30", "2026-03-29 03:30:01", "2026-03-30 02:29:59", False),
        ("02:30", "2026-03-29 03:30:01", "2026-03-30 02:30:00", True),
        # the clock goes back on 25 October 2026: 03:00 → 02:00
        ("03:00", "2026-10-24 03:00:01", "2026-10-25 02:59:59", False),
        ("03:00", "2026-10-24 03:00:01", "2026-10-25 03:00:00", True),
        ("02:30", "2026-10-24 02:30:01", "2026-10-25 02:30:00", True),
        ("02:30", "2026-10-25 02:30:01", "2026-10-25 23:00:00", False),  # 02:30 comes twice, the run once
        ("02:30", "2026-10-25 02:30:01", "2026-10-26 02:30:00", True),
    ],
)
def test_a_missed_night_is_noticed(at: str, last: str, now: str, *, missed: bool) -> None:
    trigger = Daily(time.fromisoformat(at), BERLIN)
    assert is_missed(trigger, berlin(last), berlin(now)) is missed


@pytest.mark.parametrize(
    "zone",
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",  # half an hour
        "Africa/Cairo",  # at midnight
        "America/Santiago",
        "Asia/Kathmandu",
    ],
)
@pytest.mark.parametrize("at", ["00:00", "00:30", "01:30", "02:00", "02:30", "03:00", "23:00", "23:59"])
def test_every_day_of_the_year_has_one_run(zone: str, at: str) -> None:
    trigger = Daily(time.fromisoformat(at), ZoneInfo(zone))
    moment = datetime(2025, 12, 31, 23, 59, 30, tzinfo=ZoneInfo(zone))
    days = []
    while (moment := trigger.get_next_fire_time(moment, moment)).year == 2026:
        days.append(moment.date())
    assert days == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


def test_a_time_that_is_now_is_still_to_come() -> None:
    now = datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert Daily(time(3), ZoneInfo("UTC")).get_next_fire_time(None, now) == now


class Starts:
    """Counts how often something was started."""

    def __init__(self) -> None:
        self.count = 0
        self.one = asyncio.Event()

    async def start(self) -> None:
        self.count += 1
        self.one.set()


@pytest.fixture
async def starts() -> Starts:
    return Starts()


@pytest.fixture
async def make(starts: Starts) -> Callable[[time], NightlySchedule]:
    made: list[NightlySchedule] = []

    def nightly(at: time = time(3)) -> NightlySchedule:
        made.append(NightlySchedule(lambda: starts.start(), at=at, zone=ZoneInfo("UTC")))
        return made[-1]

    yield nightly
    for one in made:
        one.close()


async def until_a_later_schedule_has_fired() -> None:
    """Open another schedule and wait for its catch-up: a run due in an earlier one has started by then."""
    fired = asyncio.Event()

    async def fire() -> None:
        fired.set()

    later, now = NightlySchedule(fire, at=time(3), zone=ZoneInfo("UTC")), datetime.now(UTC)
    assert later.open(last_started_at=now - timedelta(days=9), now=now)
    async with asyncio.timeout(5):
        await fired.wait()
    later.close()


async def test_a_missed_night_is_caught_up_once_and_at_once(
    starts: Starts, make: Callable[..., NightlySchedule]
) -> None:
    now = datetime.now(UTC)
    far = (now + timedelta(hours=12)).time().replace(microsecond=0)  # no other run comes in between
    assert make(far).open(last_started_at=now - timedelta(days=9), now=now)
    async with asyncio.timeout(5):
        await starts.one.wait()
    await until_a_later_schedule_has_fired()
    assert starts.count == 1


async def test_nothing_is_caught_up_when_nothing_was_missed(
    starts: Starts, make: Callable[..., NightlySchedule]
) -> None:
    now = datetime.now(UTC)
    far = (now + timedelta(hours=12)).time().replace(microsecond=0)
    assert not make(far).open(last_started_at=now - timedelta(hours=1), now=now)
    await until_a_later_schedule_has_fired()
    assert starts.count == 0


async def test_a_first_start_catches_nothing_up(starts: Starts, make: Callable[..., NightlySchedule]) -> None:
    assert not make().open(last_started_at=None, now=datetime.now(UTC))
    await until_a_later_schedule_has_fired()
    assert starts.count == 0


async def test_the_run_starts_at_its_time(starts: Starts, make: Callable[..., NightlySchedule]) -> None:
    """The scheduler is told that it is two o'clock, by moving its job, and not by waiting for it."""
    nightly = make()
    nightly.open(last_started_at=None, now=datetime.now(UTC))
    nightly._scheduler.modify_job("nightly", next_run_time=datetime.now(UTC))
    async with asyncio.timeout(5):
        await starts.one.wait()
    assert starts.count == 1


async def test_the_next_run_is_known_while_the_schedule_is_open(make: Callable[..., NightlySchedule]) -> None:
    nightly = make(time(3))
    assert nightly.next_at() is None
    nightly.open(last_started_at=None, now=datetime.now(UTC))
    due = nightly.next_at()
    assert due is not None
    assert (due.hour, due.minute) == (3, 0)
    assert due > datetime.now(UTC)
    nightly.close()
    nightly.close()
    assert nightly.next_at() is None


def test_the_night_that_is_due_is_the_last_that_was_to_begin() -> None:
    nightly = NightlySchedule(_nothing, at=time(3), zone=BERLIN)
    assert nightly.due_at(berlin("2026-03-10 03:00:00")) == berlin("2026-03-10 03:00:00")
    assert nightly.due_at(berlin("2026-03-10 02:59:59")) == berlin("2026-03-09 03:00:00")
    assert nightly.due_at(berlin("2026-03-29 12:00:00")) == berlin("2026-03-29 03:00:00")  # in summer time


async def test_a_schedule_that_rests_can_be_opened_again() -> None:
    begun = 0

    async def begin() -> None:
        nonlocal begun
        begun += 1

    nightly = NightlySchedule(begin, at=time(3), zone=BERLIN)
    now = datetime.now(UTC)
    nightly.open(last_started_at=now, now=now)
    nightly.rest()
    tonight = nightly.next_at()  # where another process has it
    assert tonight is not None
    assert nightly.open(last_started_at=now - timedelta(days=3), now=now)
    assert nightly.next_at() == tonight
    await until_a_later_schedule_has_fired()
    assert begun == 1
    nightly.close()


async def _nothing() -> None:
    """What a schedule may begin."""
