"""Decides what becomes of a version that passed the gate: it replaces the champion, or does not.

An admin decides with the buttons under the verdict, or people's votes at the end of a proof. Each decision
leaves a row in `runs` that says who decided. All checks happen under the lock of the champion pointer, so
that the first of two decisions counts.
"""

from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from bot.answering.champion_follower import BotChampionFollower
from bot.errors import DecisionError
from bot.runs.training_runs import TrainingRuns
from bot.texts import say
from storage import runs as run_records
from storage.database import Database
from storage.runs import Run
from training.registry import promotion
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)


class Decision(NamedTuple):
    """The run whose version was decided about, as it was before, and the row that records the decision."""

    run: Run
    record: Run


class Decisions:
    """Promotes or keeps out a version that passed the gate."""

    def __init__(
        self, database: Database, registry: Registry, follower: BotChampionFollower, runs: TrainingRuns
    ) -> None:
        self._database, self._registry = database, registry
        self._follower, self._runs = follower, runs

    async def promote(self, run_id: int, version: str, *, by: str) -> Decision:
        """Make the challenger champion, and reload.

        Args:
            run_id: the run.
            version: its challenger, as the button names it.
            by: who decided, for the audit trail.

        Raises:
            DecisionError: it was decided before, or the champion is another one by now.
            RegistryError: the version is withdrawn, damaged or deleted, or the folder cannot be written.
            StorageError: the database cannot be used.
        """
        async with self._runs.moving:
            run = await self._waiting(run_id, version)
            await promotion.promote(self._registry, self._database, version, now=datetime.now(UTC), by=by)
            await run_records.decide(self._database, run_id, "promoted")
            record = await run_records.promotion_of(self._database, version)
        await self._follower.follow_champion(again=True)
        log.info("model.promoted", model_version=version, previous=run.champion, run_id=run_id)
        return Decision(run, record or run)

    async def keep(self, run_id: int, version: str, *, by: str) -> Decision:
        """Keep the champion, for good; raises as `promote`."""
        async with self._runs.moving:
            run = await self._waiting(run_id, version)
            kept = await run_records.keep_champion(
                self._database,
                run_id,
                champion=self._registry.champion(),
                now=datetime.now(UTC),
                report={"by": by, "version": version},
            )
            if kept is None:  # another process decided meanwhile
                await self._waiting(run_id, version)
                raise DecisionError(say("decision.unknown"))
        log.info("model.kept", model_version=run.champion, refused=version, run_id=run_id)
        return Decision(run, kept)

    async def waiting(self, run_id: int, version: str) -> Run:
        """Return a run whose challenger may still be promoted; raises as `promote`."""
        run = await self._waiting(run_id, version)
        self._registry.require_not_withdrawn(version)
        self._registry.path(version)
        return run

    async def _waiting(self, run_id: int, version: str) -> Run:
        run, champion = await run_records.get_run(self._database, run_id), self._registry.champion()
        if run is None or run.challenger != version:
            raise DecisionError(say("decision.unknown"))
        if champion == version:
            raise DecisionError(say("decision.serves", version=version))
        if run.status not in run_records.UNDECIDED:
            raise DecisionError(say(f"decision.decided.{run.status}", version=version, champion=champion))
        if champion != compared_with(self._registry, run):
            raise DecisionError(
                say("decision.other_champion", version=version, champion=champion, before=run.champion)
            )
        return run


def compared_with(registry: Registry, run: Run) -> str | None:
    """Return the champion that a run's challenger may replace: the one that the gate compared it with.

    A withdrawn champion is replaced by the domain model, which also was the standard of the gate then.
    """
    is_withdrawn = run.champion in registry.withdrawn()
    return registry.domain() if is_withdrawn else run.champion
