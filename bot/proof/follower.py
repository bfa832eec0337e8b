"""Loads the challenger of the open proof, so that it answers together with the champion."""

import asyncio
import time

import structlog

from bot.answering.predictor import Challenger, Predictor
from bot.operations.metrics import Metrics
from bot.runs.decisions import compared_with
from storage import runs as run_records
from storage.database import Database
from storage.errors import StorageError
from storage.runs import Run
from training.errors import RegistryError
from training.inference.champion_follower import RETRIED, FailedLoads
from training.inference.loading import load, release_memory
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
WATCH_EVERY_S = 2.0
RETRY_AFTER_S = 30.0  # each attempt hashes a version's files


class ChallengerFollower:
    """Keeps the challenger loaded while its proof is open, in every process that answers."""

    def __init__(
        self, database: Database, registry: Registry, predictor: Predictor, metrics: Metrics
    ) -> None:
        self._database, self._registry = database, registry
        self._predictor, self._metrics = predictor, metrics
        self._failures, self._retry_at = FailedLoads("challenger.not_loaded"), 0.0

    async def watch(self) -> None:
        """Poll the open proof; runs until cancelled."""
        while True:
            try:
                await self.follow()
            except (StorageError, RegistryError) as error:
                log.warning("proof.not_followed", reason=str(error))
            await asyncio.sleep(WATCH_EVERY_S)

    async def follow(self) -> None:
        """Load the challenger of the open proof, or unload it.

        A damaged one is tried once in a proof; after any other failure, loading is tried again after a pause.

        Raises:
            StorageError: The database cannot be read.
            RegistryError: The pointers cannot be read.
        """
        run = await run_records.open_proof(self._database)
        wanted = await asyncio.to_thread(self._wanted, run) if run is not None else None
        now = self._predictor.challenger
        if now is not None and wanted != (now.version, now.champion):
            self._predictor.challenger = None
            await now.predictor.close()
            await asyncio.to_thread(release_memory)
            log.info("challenger.unloaded", model_version=now.version)
        if wanted is None:
            self._settle()
        elif self._predictor.challenger is None and self._may_load(wanted[0]):
            await self._load(*wanted)

    def _wanted(self, run: Run) -> tuple[str, str] | None:
        """Return challenger and champion of a proof; None if its result would mean nothing."""
        champion, challenger = self._registry.champion(), run.challenger
        if challenger is None or champion is None or challenger in self._registry.withdrawn():
            return None
        return (challenger, champion) if champion == compared_with(self._registry, run) else None

    def _may_load(self, version: str) -> bool:
        return not self._failures.is_refused(version) and time.monotonic() >= self._retry_at

    def _settle(self) -> None:
        self._failures.forget()
        self._retry_at = 0.0

    async def _load(self, version: str, champion: str) -> None:
        try:
            model = await asyncio.to_thread(load, self._registry, version)
        except RETRIED as error:
            self._failures.refuse_if_damaged(version, error)
            self._failures.log_once(version, error)
            self._retry_at = time.monotonic() + RETRY_AFTER_S
            return
        self._settle()
        second = Predictor(model, metrics=self._metrics)
        while second.denied != self._predictor.denied:  # the words may change meanwhile
            await second.deny(self._predictor.denied)
        self._predictor.challenger = Challenger(second, champion)
        log.info("challenger.loaded", model_version=version, champion=champion)
