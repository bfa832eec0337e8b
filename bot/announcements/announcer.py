"""Posts the verdicts of runs and notices to Discord, and retries until Discord accepts them.

The verdict of a run replaces the message that showed its progress. If Discord refuses the edit, the verdict
is a new message in the same channel, else in the report channel, else a direct message to the person who
asked. Announcements are stored first (see `storage.announcements`), so that a crash loses none.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
from discord.ext import commands

from bot.announcements.delivery import Delivery, NowhereError
from bot.background import Background
from bot.errors import DISCORD_ERRORS
from bot.runs.training_runs import RunEnd, TrainingRuns
from bot.texts import say, translated
from storage import announcements as outbox
from storage import runs as run_records
from storage.announcements import Announcement, Kind
from storage.database import Database
from storage.errors import StorageError
from storage.runs import Run

log = structlog.stdlib.get_logger(__name__)
ATTEMPT_S = 60.0
CLAIM = timedelta(seconds=90)  # longer than an attempt; claims of a crashed process expire after this
RENEW_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0  # between attempts while Discord is unreachable
REFUSED_PAUSE_S = 600.0  # after every channel refused it: an admin may grant the permission
LOOK_S, LOOK_SHARED_S = 30.0, 5.0  # polling for announcements of crashed processes
RUN_PAUSE_S = 2.0  # polling for the end of a run
NOT_BEGUN_S = 10.0  # a run without a row and without the lock by then never started
KEPT = timedelta(days=7)  # then an announcement that cannot be posted is dropped
UNSTORED = 0  # id of an announcement that could not be stored

T = TypeVar("T")


class PendingAnnouncement:
    """The announcement of a run's end; inside an `async with` block no other process posts it."""

    def __init__(self, announcements: "Announcer", one: Announcement, background: Background) -> None:
        self._announcements, self._one = announcements, one
        self._opened = asyncio.Event()
        self._renewal = background.start(self._renew(), name="announcement's claim", is_endless=True)

    @property
    def nonce(self) -> str:
        """The nonce by which Discord recognises the progress message."""
        return f"begun-{self._one.id:x}"

    def opened(self, run_id: int) -> None:
        """Set the id of the run."""
        self._one = replace(self._one, run_id=run_id)
        self._opened.set()

    async def place(self, **columns: Any) -> None:
        """Store where the announcement belongs."""
        self._one = replace(self._one, **columns)
        await self._announcements.note(self._one, **columns)

    async def conclude(self, end: RunEnd) -> None:
        """Post the end of the run, now or as soon as Discord accepts it."""
        await self._announcements.conclude(self._one, end)

    async def withdraw(self) -> None:
        """Delete it, because the run did not start."""
        self._renewal.cancel()
        with contextlib.suppress(StorageError):  # then its retry reports that the run never started
            await outbox.delete_announcement(self._announcements.database, self._one.id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Claim it no more."""
        self._renewal.cancel()
        await asyncio.gather(self._renewal, return_exceptions=True)

    async def _renew(self) -> None:
        is_noted = False
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RENEW_S):
                    await (asyncio.sleep(RENEW_S) if is_noted else self._opened.wait())
            columns: dict[str, Any] = {"claimed_until": datetime.now(UTC) + CLAIM}
            if self._opened.is_set() and not is_noted:
                is_noted, columns["run_id"] = True, self._one.run_id
            await self._announcements.note(self._one, **columns)


class Announcer:
    """Stores announcements and posts them; `is_shared` says that other processes use the database too."""

    def __init__(
        self,
        client: commands.Bot,
        database: Database,
        *,
        delivery: Delivery,
        runs: TrainingRuns,
        background: Background,
        is_shared: bool,
    ) -> None:
        self._client, self.database = client, database
        self._delivery, self._runs, self._background = delivery, runs, background
        self._is_shared = is_shared
        self._news = asyncio.Event()

    @property
    def elsewhere(self) -> str:
        """Says where the verdict will appear once the message cannot be edited any more."""
        return self._delivery.elsewhere

    async def post(self, kind: Kind, end: RunEnd, **about: Any) -> None:
        """Post now, or as soon as Discord accepts it; `about` as for `storage.announcements.store`."""
        about |= {"sentence": end.sentence, "run_id": end.run.id if end.run is not None else None}
        now = datetime.now(UTC)
        try:
            one = await outbox.store(self.database, kind, now=now, claimed_until=now + CLAIM, **about)
        except StorageError as error:
            log.warning("announcement.not_stored", kind=kind, reason=str(error))
            one = _unstored(kind, now, **about)
        await self._attempt(one, end)

    async def expect(self, kind: Kind, trigger: str, **about: Any) -> PendingAnnouncement:
        """Store, before a run starts, that its end is to be announced.

        Raises:
            StorageError: it cannot be stored.
        """
        now = datetime.now(UTC)
        one = await outbox.store(
            self.database, kind, now=now, claimed_until=now + CLAIM, run_trigger=trigger, **about
        )
        return PendingAnnouncement(self, one, self._background)

    async def take_buttons(self, run: Run) -> None:
        """Remove the buttons from the verdict of a run that was decided about without them.

        Raises:
            StorageError: the database cannot be read.
        """
        place = await run_records.verdict_of(self.database, run.id)
        if place is not None:
            await self._delivery.take_buttons(*place)

    async def note(self, one: Announcement, **columns: Any) -> None:
        """Store more columns of an announcement; a failure is only logged."""
        try:
            await whole(outbox.change(self.database, one.id, **columns))
        except StorageError as error:
            log.warning("announcement.not_stored", announcement_id=one.id, reason=str(error))

    async def conclude(self, one: Announcement, end: RunEnd) -> None:
        """Post how a run ended, now or as soon as Discord accepts it."""
        known: dict[str, Any] = {"sentence": end.sentence, "claimed_until": datetime.now(UTC) + CLAIM}
        if end.run is not None:
            known["run_id"] = end.run.id
        await self.note(one, **known)
        await self._attempt(replace(one, **known), end)

    async def hurry(self) -> None:
        """Attempt all announcements at once, because Discord is reachable again."""
        try:
            await whole(outbox.retry_all(self.database, datetime.now(UTC)))
        except StorageError as error:
            log.warning("announcements.failed", reason=str(error))
        self._news.set()

    async def open(self) -> None:
        """Prepare for the first run; claims of a crashed process are released if the database is not shared.

        Raises:
            StorageError: the database cannot be written.
        """
        for event in ("on_ready", "on_resumed"):
            self._client.add_listener(self.hurry, event)
        if not self._is_shared:
            await outbox.release_claims(self.database)
            for one in await outbox.due(self.database, datetime.now(UTC), limit=outbox.MAX_ROWS):
                if one.run_id is None and (run := await self._run_of(one)) is not None:
                    await self.note(one, run_id=run.id)

    async def unannounced(self, runs: Sequence[Run]) -> list[Run]:
        """Return the runs whose end has no stored announcement."""
        announced = await outbox.announced_runs(self.database)
        return [run for run in runs if run.id not in announced]

    async def deliver_pending(self) -> None:
        """Retry pending announcements, those of crashed processes included, until cancelled."""
        await self._client.wait_until_ready()
        while True:
            pause_s = LOOK_SHARED_S if self._is_shared else LOOK_S
            self._news.clear()
            try:
                for one in await whole(outbox.due(self.database, datetime.now(UTC))):
                    now = datetime.now(UTC)
                    claim = outbox.claim(self.database, one.id, now=now, until=now + CLAIM)
                    claimed = await whole(claim)
                    if claimed is not None:
                        await self._attempt(claimed)
                if (soonest := await whole(outbox.next_due_at(self.database))) is not None:
                    pause_s = min(pause_s, max(0.1, (soonest - datetime.now(UTC)).total_seconds()))
            except StorageError as error:
                log.warning("announcements.failed", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._news.wait()

    async def _attempt(self, one: Announcement, end: RunEnd | None = None) -> None:
        """Post a claimed announcement; postpone it if Discord does not accept it now."""
        pause_s, attempts = min(FIRST_PAUSE_S * 2**one.attempts, LONGEST_PAUSE_S), one.attempts + 1
        about = {"announcement_id": one.id, "kind": one.kind, "run_id": one.run_id}
        try:
            end = end or await self._end_of(one)
            if end is not None:
                async with asyncio.timeout(ATTEMPT_S):
                    place = await self._delivery.post(one, end)
                if place is not None and end.run is not None:
                    await whole(run_records.note_verdict(self.database, end.run.id, place))
                if one.id != UNSTORED:
                    await whole(outbox.delete_announcement(self.database, one.id))
                log.info("announcement.posted", **about)
                return
            pause_s, attempts = RUN_PAUSE_S, 0
        except NowhereError as error:
            pause_s = max(pause_s, REFUSED_PAUSE_S)
            if not one.attempts:
                log.warning("announcement.refused", reason=str(error), **about)
        except (*DISCORD_ERRORS, StorageError) as error:
            log.warning("announcement.delayed", reason=str(error) or type(error).__name__, **about)
        except Exception:
            log.exception("announcement.failed", **about)  # the loop goes on with the others
        if one.id != UNSTORED:
            await self._delay(one, pause_s, attempts=attempts)

    async def _delay(self, one: Announcement, pause_s: float, *, attempts: int) -> None:
        now = datetime.now(UTC)
        try:
            if attempts and now - one.created_at > KEPT:
                await outbox.delete_announcement(self.database, one.id)
                log.error("announcement.given_up", announcement_id=one.id, kind=one.kind, run_id=one.run_id)
                return
            released = {"due_at": now + timedelta(seconds=pause_s), "claimed_until": None}
            await whole(outbox.change(self.database, one.id, attempts=attempts, **released))
        except StorageError as error:  # its claim expires
            log.warning("announcements.failed", reason=str(error))
        self._news.set()

    async def _end_of(self, one: Announcement) -> RunEnd | None:
        """How its run ended; None while it is in progress."""
        run = await self._run_of(one)
        if one.sentence is not None:
            return RunEnd(run, one.sentence)
        if run is not None:
            return None if run.status == "open" else RunEnd(run, _sentence_of(run))
        waited_s = (datetime.now(UTC) - one.created_at).total_seconds()
        if waited_s < NOT_BEGUN_S or await self._runs.is_under_way():
            return None
        return RunEnd(None, say("run.never_began"))

    async def _run_of(self, one: Announcement) -> Run | None:
        if one.run_id is not None:
            return await whole(run_records.get_run(self.database, one.run_id))
        if one.sentence is not None or one.run_trigger is None:
            return None
        # The process crashed before it stored the id. Runs never overlap, so it is the first one since then.
        return await whole(run_records.first_since(self.database, one.run_trigger, one.created_at))


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Finish a database call even when cancelled: cancelling it midway would discard the connection."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def _sentence_of(run: Run) -> str:
    """How a run ended while the bot was not running."""
    if run.status == "failed" and run.reason:
        text = translated(run.reason)
        return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
    return say("run.ended_meanwhile")


def _unstored(kind: Kind, now: datetime, **about: Any) -> Announcement:
    """Return an announcement that is attempted once, because the database is unavailable."""
    blank = dict.fromkeys(Announcement.__slots__)
    fields = {**blank, "id": UNSTORED, "kind": kind, "figure": "", "created_at": now, "due_at": now}
    return Announcement(**{**fields, "attempts": 0, **about})
