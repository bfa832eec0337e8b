"""Trouble with the clock: daylight saving in both directions, a jump back, a jump forward."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import apscheduler.schedulers.base
import apscheduler.triggers.date
from faults.hosted import hosted
from faults.trials import Found, fault
from support.wire import QUERY

import bot.cogs.votes
import bot.runs.schedule
from bot.answering.queries import parse_query
from bot.runs.schedule import NightlySchedule
from bot.sandbox.server import Sandbox
from storage.votes.consensus import votes_on_query
from storage.votes.predictions import votes_until
from storage.votes.standing import standing_votes

SCHEDULING = (apscheduler.schedulers.base, apscheduler.triggers.date, bot.runs.schedule)
STEP = timedelta(minutes=7)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "UTC",
)


class Clock:
    """A clock that is set by hand; inside `pretended`, modules read it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    @contextlib.contextmanager
    def pretended(self, *modules: object) -> Iterator[None]:
        """Let `datetime.now` of these modules read this clock."""
        clock = self

        class Pretended(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return clock.now.astimezone(tz)

        with contextlib.ExitStack() as stack:
            for module in modules:
                stack.enter_context(patch.object(module, "datetime", Pretended))
            yield


class Nights:
    """A schedule on a clock of its own, and the times at which it began a night."""

    def __init__(self, clock: Clock, *, at: time, zone: ZoneInfo) -> None:
        self.clock, self.at, self.zone = clock, at, zone
        self.begun: list[datetime] = []

    async def live(self, until: datetime) -> None:
        """Be open, from the clock's time on, while it goes on to `until`."""
        scheduled = NightlySchedule(self._begin, at=self.at, zone=self.zone)
        last = self.begun[-1] if self.begun else None
        with self.clock.pretended(*SCHEDULING):
            scheduled.open(last_started_at=last, now=self.clock.now)
            await self.go_on(scheduled, until)
            scheduled.close()

    async def go_on(self, scheduled: NightlySchedule, until: datetime) -> None:
        """Let the clock tick."""
        while self.clock.now < until:
            self.clock.now += STEP
            scheduled._scheduler.wakeup()
            for _ in range(4):  # the scheduler's turn, the job's, and its end
                await asyncio.sleep(0)

    async def _begin(self) -> None:
        self.begun.append(self.clock.now)

    def wrong(self, *days: date) -> int:
        """Nights that are missing or doubled, where each of these days has one, in local time."""
        counted = Counter(moment.astimezone(self.zone).date() for moment in self.begun)
        return sum(abs(counted.pop(day, 0) - 1) for day in days) + sum(counted.values())


def changes(zone: ZoneInfo) -> list[date]:
    """The days of a year on which its clocks are set; any two where they never are."""
    noon = [datetime(2026, 1, 1, 12, tzinfo=zone) + timedelta(days=n) for n in range(364)]
    days = [b.date() for a, b in pairwise(noon) if a.utcoffset() != b.utcoffset()]
    return days or [date(2026, 3, 29), date(2026, 10, 25)]


@fault("daylight saving", group="clock", times=60)
async def daylight_saving(chance: random.Random, home: Path) -> Found:
    """Clocks go forward or back, in zones where they do so differently; with and without a restart then."""
    zone = ZoneInfo(chance.choice(ZONES))
    day = chance.choice(changes(zone))
    at = chance.choice(
        (time(0), time(0, 30), time(1, 30), time(2), time(2, 15), time(2, 30), time(3), time(23, 30))
    )
    start = datetime.combine(day - timedelta(days=1), time(12), zone).astimezone(UTC)
    nights = Nights(Clock(start), at=at, zone=zone)
    is_early = at < time(12)
    first = day if is_early else day - timedelta(days=1)
    stops = sorted(
        start + timedelta(minutes=chance.randrange(1, 48 * 60)) for _ in range(chance.randrange(3))
    )
    for stop in (*stops, start + timedelta(days=3)):
        await nights.live(stop)
    return Found(wrong_answers=nights.wrong(*(first + timedelta(days=n) for n in range(3))))


@fault("clock jumps back", group="clock", times=40)
async def jumps_back(chance: random.Random, home: Path) -> Found:
    """By hours, soon after a night began, while the bot runs or between two starts: the night comes once."""
    start = datetime(2026, 5, 4, 12, tzinfo=UTC)
    clock = Clock(start)
    nights = Nights(clock, at=time(3), zone=ZoneInfo("UTC"))
    jump_at = datetime(2026, 5, 6, 3, tzinfo=UTC) + timedelta(minutes=chance.randrange(8, 240))
    back = timedelta(minutes=chance.randrange(1, 23 * 60))
    end = datetime(2026, 5, 8, 12, tzinfo=UTC)
    await jumped(nights, jump_at, -back, end, is_restart=chance.random() < 0.5)
    return Found(wrong_answers=nights.wrong(*(date(2026, 5, day) for day in (5, 6, 7, 8))))


@fault("clock jumps forward", group="clock", times=40)
async def jumps_forward(chance: random.Random, home: Path) -> Found:
    """Over the nightly time, by hours or days, or until it is set right: caught up once, and at once."""
    clock = Clock(datetime(2026, 5, 4, 12, tzinfo=UTC))
    nights = Nights(clock, at=time(3), zone=ZoneInfo("UTC"))
    jump_at = datetime(2026, 5, 5, 12, tzinfo=UTC) + timedelta(minutes=chance.randrange(14 * 60))
    days = chance.choice((0, 0, 1, 5, 400))
    over = (
        datetime(2026, 5, 6, 3, tzinfo=UTC)
        - jump_at
        + timedelta(days=days, minutes=chance.randrange(1, 20 * 60))
    )
    landed = jump_at + over
    last = (landed + timedelta(days=2)).replace(hour=12, minute=0)
    await jumped(nights, jump_at, over, last, is_restart=chance.random() < 0.5)
    due = [landed.date() + timedelta(days=n) for n in range((last.date() - landed.date()).days + 1)]
    wrong = nights.wrong(date(2026, 5, 5), *due)
    late = next((moment for moment in nights.begun if moment > jump_at), last) - landed
    wrong += int(late > 2 * STEP)
    if days > 1:  # it was wrong, and is set right: nights go on at once, and not on that far day
        clock.now, nights.begun = datetime(2026, 5, 7, 12, tzinfo=UTC), nights.begun[-1:]
        await nights.live(datetime(2026, 5, 9, 12, tzinfo=UTC))
        nights.begun = nights.begun[1:]
        wrong += nights.wrong(date(2026, 5, 8), date(2026, 5, 9))
    return Found(wrong_answers=wrong)


async def jumped(
    nights: Nights, jump_at: datetime, by: timedelta, end: datetime, *, is_restart: bool
) -> None:
    """Live until the clock jumps, and on to the end, with the bot running on or begun anew."""
    if is_restart:
        await nights.live(jump_at)
        nights.clock.now += by
        await nights.live(end)
        return
    scheduled = NightlySchedule(nights._begin, at=nights.at, zone=nights.zone)
    with nights.clock.pretended(*SCHEDULING):
        scheduled.open(last_started_at=None, now=nights.clock.now)
        await nights.go_on(scheduled, jump_at)
        nights.clock.now += by
        await nights.go_on(scheduled, end)
        scheduled.close()


@fault("clock jumps back between votes", group="clock", times=20)
async def votes_back(chance: random.Random, home: Path) -> Found:
    """The last word on a sentence counts, whatever the clock says; and every vote is in a later run."""
    clock = Clock(datetime.now(UTC))
    async with (
        Sandbox() as sandbox,
        hosted(home, sandbox) as wire,
        wire.member() as ann,
        wire.member() as ben,
    ):
        with clock.pretended(bot.cogs.votes):
            first, second = await wire.ask(ann), await wire.ask(ben)
            said = chance.choice((1, -1))
            thumbs = {1: "👍", -1: "👎"}
            await ann.react(first, thumbs[said])
            await wire.until_votes(first, (ann, said))
            clock.now -= timedelta(minutes=chance.randrange(1, 600))
            await ann.react(second, thumbs[-said])
            await ben.react(second, "👍")
            await wire.until_votes(second, (ann, -said), (ben, 1))
        query = parse_query(QUERY, max_chars=500, max_masks=3, prefix="!")
        counted = standing_votes(await votes_on_query(wire.app.database, query.hash))
        values = {vote.voter_id: vote.value for vote in counted}
        later = datetime.now(UTC) + timedelta(days=1)
        in_run = sum([len(chunk["value"]) async for chunk in votes_until(wire.app.database, later)])
    return Found(lost_votes=int(values != {ann.id: -said, ben.id: 1}) + abs(3 - in_run))
