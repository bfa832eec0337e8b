"""Forgets people step by step, and stops every model that learnt from their votes from answering.

A crash at any step is safe: the request stays open in the database until all steps are done, and a withdrawn
champion is replaced whenever one is found.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.announcements.report_channel import ReportChannel
from bot.answering.champion_follower import BotChampionFollower
from bot.answering.predictor import Predictor
from bot.errors import RunBusyError
from bot.operations.backups import NightlyBackup
from bot.runs.training_runs import TrainingRuns
from bot.settings import Settings
from bot.texts import say
from storage.backends.locks import FORGETTING, QueuedLock
from storage.database import Database
from storage.errors import StorageError
from storage.maintenance.backups import database_copies, database_file
from storage.people import forgetting
from storage.people.forgetting import Erased, Request
from storage.people.privacy import runs_since
from training.errors import RegistryError, TrainingError
from training.pipeline import run_files
from training.registry import promotion
from training.registry.sharing import pull
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
LOOK_EVERY_S = 30.0  # for requests that a crash or a full disk left open
COMPACT_TRIES, COMPACT_AGAIN_S = 5, 1.0


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """What was deleted.

    Attributes:
        erased: from the database.
        backups: number of database copies that were rewritten.
        not_cleaned: names of copies that could not be.
        runs: number of runs whose sets and results were deleted.
        versions: the withdrawn versions.
        needs_run: whether one of them is the champion.
    """

    erased: Erased
    backups: int
    not_cleaned: tuple[str, ...]
    runs: int
    versions: tuple[str, ...]
    needs_run: bool


class Forgetting:
    """Handles one request at a time."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        registry: Registry,
        *,
        predictor: Predictor,
        follower: BotChampionFollower,
        runs: TrainingRuns,
        reports: ReportChannel,
        backups: NightlyBackup,
    ) -> None:
        self._home, self._database, self._registry = settings.home, database, registry
        self._database_file, self._backups_dir = database_file(settings.url), settings.backups_dir
        self._predictor, self._follower, self._runs, self._reports = predictor, follower, runs, reports
        self._backups = backups
        self._working, self._settling = QueuedLock(settings, FORGETTING), asyncio.Lock()
        self._sentence = ""  # of the last run that replaced a withdrawn champion

    def versions_since(self, since: datetime | None) -> tuple[str, ...]:
        """Versions that learnt from votes at that time or later, and may still serve."""
        withdrawn = self._registry.withdrawn()
        return tuple(version for version in self.learnt_since(since) if version not in withdrawn)

    async def forget(self, user_id: int) -> ForgetResult:
        """Forget a person. Once started it is finished, even after a crash.

        Raises:
            StorageError: the database cannot be used; a retry follows.
            TrainingError: the registry cannot be written; a retry follows.
            OSError: a file cannot be written; a retry follows.
        """
        request = await forgetting.request(self._database, user_id, now=datetime.now(UTC))
        async with self._working:
            return await self._work(request)

    async def settle(self) -> str:
        """Replace a withdrawn champion by a new run, or else by the domain model.

        Concurrent callers wait for the same run. Returns the sentence of the last run that replaced one.
        """
        async with self._settling:
            while self._is_withdrawn() and not self._runs.is_closed:
                async with self._working:
                    pass  # another request would end the run
                try:
                    end = await self._runs.begin("forget")
                except RunBusyError:
                    await self._runs.idle()
                    await asyncio.sleep(0)
                    continue
                if not self._working.locked() and not self._runs.is_closed:
                    self._sentence = await self._without_withdrawn(end.sentence)
                    await self._reports.post_notice(self._sentence, run=end.run)
        return self._sentence

    async def finish_pending(self) -> None:
        """Finish requests that a crash or an error left open, forever."""
        is_compact = False
        while True:
            try:
                if not is_compact:
                    await self._compact(rewrite=False)  # what a crash left in the write-ahead log
                    is_compact = True
                for request in await forgetting.requests(self._database):
                    if not self._working.locked():
                        await self._finish(request)
                await self.settle()
            except (StorageError, TrainingError, OSError) as error:
                log.warning("forgetting.failed", reason=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _finish(self, request: Request) -> None:
        """Finish a request, unless another process has done so meanwhile."""
        async with self._working:
            if request in await forgetting.requests(self._database):
                await self._work(request)

    async def _work(self, request: Request) -> ForgetResult:
        """Do all steps of a request; the caller holds the lock."""
        user_id, since = request.user_id, request.counted_since
        async with self._runs.halted(say("forgetting.run_ended")):
            await asyncio.to_thread(pull, self._registry)  # versions that other machines made
            versions = tuple(self.learnt_since(since))
            await asyncio.to_thread(self._registry.withdraw, versions)
            now = datetime.now(UTC)
            erased = await forgetting.erase_person(self._database, user_id, since=since, now=now)
            self._predictor.clear_cache()
            run_count = await self._clean_runs(since)
            await self._compact()
            async with self._backups.making:  # a backup that has started would still hold the rows
                backups, not_cleaned = await self._clean_copies(user_id, since, now)
            await forgetting.close_request(self._database, user_id)
            await self._compact(rewrite=False)
            needs_run = self._is_withdrawn()
        log.info(
            "person.forgotten",
            votes=erased.votes,
            queries=erased.queries,
            backups=backups,
            runs=run_count,
            versions=len(versions),
        )
        if not_cleaned:
            await self._reports.post_notice(say("forgetting.not_cleaned", names=", ".join(not_cleaned)))
        return ForgetResult(erased, backups, not_cleaned, run_count, versions, needs_run)

    def learnt_since(self, since: datetime | None) -> Iterator[str]:
        """Versions whose votes were read then or later. A damaged version cannot serve and is skipped."""
        for version in self._registry.versions() if since is not None else ():
            try:
                card = self._registry.card(version)
            except RegistryError:
                continue
            assert since is not None
            if card.kind == "night" and (card.as_of or card.created_at) >= since:
                yield version

    def _is_withdrawn(self) -> bool:
        return self._registry.champion() in self._registry.withdrawn()

    async def _clean_runs(self, since: datetime | None) -> int:
        """Delete what runs kept of the person's votes, and queries that are stored nowhere else."""
        found = 0
        if since is not None:
            ids = [row["id"] for row in await runs_since(self._database, since)]
            found = await asyncio.to_thread(run_files.delete_results, self._home, ids)
        queries = await asyncio.to_thread(run_files.queries, self._home)
        lost = await forgetting.orphaned_queries(self._database, queries)
        await asyncio.to_thread(run_files.drop_queries, self._home, lost)
        (self._home / "training.log").unlink(missing_ok=True)
        return found

    async def _clean_copies(
        self, user_id: int, since: datetime | None, now: datetime
    ) -> tuple[int, tuple[str, ...]]:
        cleaned, not_cleaned = 0, []
        for path in database_copies(self._home, self._backups_dir, self._database_file):
            try:
                erased = await forgetting.erase_in_file(path, user_id, since=since, now=now)
                reason = "not a database of fillbot" if erased is None else None
            except StorageError as error:
                reason = str(error)
            if reason is None:
                cleaned += 1
            else:
                log.warning("backup.not_cleaned", path=str(path), reason=reason)
                not_cleaned.append(path.name)
        return cleaned, tuple(not_cleaned)

    async def _compact(self, *, rewrite: bool = True) -> None:
        """Retry until no reader holds old pages; long reads are rare and short."""
        for _ in range(COMPACT_TRIES):
            if await self._database.compact(rewrite=rewrite):
                return
            await asyncio.sleep(COMPACT_AGAIN_S)
        log.warning("database.not_compacted")

    async def _without_withdrawn(self, sentence: str) -> str:
        """After a failed run, promote the domain model, as the run itself would have done."""
        async with self._runs.moving:
            left = await promotion.replace_withdrawn_champion(
                self._registry, self._database, now=datetime.now(UTC)
            )
        await self._follower.follow_champion(again=True)
        if left is None:
            return sentence
        stood_in = say("forgetting.stood_in", version=left, domain=self._registry.champion())
        return f"{sentence} {stood_in}"
