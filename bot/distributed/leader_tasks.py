"""The tasks of the leader: the nightly schedule, repairs, automatic rollback, announcements, forgetting."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.announcements.announcer import Announcer
from bot.background import Background, cancel
from bot.client import FillBot
from bot.privacy.forgetting import Forgetting
from bot.proof.watch import ProofWatch
from bot.runs.automatic_rollback import AutomaticRollback
from bot.runs.schedule import NightlySchedule
from bot.runs.training_runs import TrainingRuns
from storage import runs as run_records
from storage.database import Database
from training.errors import RegistryError
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LeaderTasks:
    """The parts that do the tasks; `is_shared` says that other processes may lead instead."""

    bot: FillBot
    database: Database
    registry: Registry
    background: Background
    runs: TrainingRuns
    rollback: AutomaticRollback
    proof: ProofWatch
    announcements: Announcer
    forgetting: Forgetting
    nightly: NightlySchedule
    rollback_check_every_s: float
    is_shared: bool

    async def begin(self) -> list[asyncio.Task[None]]:
        """Start them in the background. Returns those that never end.

        Raises:
            StorageError: the database cannot be read.
        """
        await self._open_nightly()
        if self.is_shared:
            self.background.start(self.bot.sync_commands(), name="slash commands")
            repair = self.background.supervise(self.runs.keep_repairing, name="repair")
        else:
            repair = self.background.supervise(self.runs.repair_until_settled, name="repair", may_end=True)
        watch = self.background.supervise(
            lambda: self.rollback.run(every_s=self.rollback_check_every_s), name="automatic rollback"
        )
        proof = self.background.supervise(
            lambda: self.proof.run(every_s=self.rollback_check_every_s), name="proof", may_end=True
        )
        announcements = self.background.supervise(self.announcements.deliver_pending, name="announcements")
        forgetting = self.background.supervise(self.forgetting.finish_pending, name="forgetting")
        return [repair, watch, proof, announcements, forgetting]

    @contextlib.asynccontextmanager
    async def done(self) -> AsyncIterator[None]:
        """Run them while the block lasts; raises as `begin`."""
        tasks = await self.begin()
        try:
            yield
        finally:
            self.nightly.rest()
            await cancel(set(tasks))

    async def _open_nightly(self) -> None:
        """Start the schedule; a missed nightly run is caught up at once."""
        last = await run_records.latest(self.database, "nightly")
        since = last.started_at if last else _first_made_at(self.registry)
        if self.nightly.open(last_started_at=since, now=datetime.now(UTC)):
            log.info("nightly.catching_up", since=str(since))


def _first_made_at(registry: Registry) -> datetime | None:
    """When the domain model was made; None if its card is damaged."""
    domain = registry.domain()
    try:
        return registry.card(domain).created_at if domain else None
    except RegistryError:
        log.warning("domain.damaged", model_version=domain, exc_info=True)
        return None
