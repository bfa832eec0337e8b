"""Follows the champion: which version to load first, what to retry, what to refuse.

A damaged version is refused until the pointer moves or a reload is requested: verifying it takes seconds of
hashing. Transient failures are retried at the next poll: a disk, mount or storage that is unavailable, a
version that has not arrived yet, too little memory. In both cases the current version keeps serving, and the
reason is logged once.
"""

import asyncio
import contextlib
from typing import Protocol

import structlog

from training.errors import CorruptVersionError, RegistryError, UnknownVersionError
from training.inference.errors import NothingServesError
from training.inference.fill_model import FillModel
from training.inference.loading import load, release_memory
from training.registry.card import Card
from training.registry.errors import SharedStorageUnreachableError
from training.registry.sharing import SharedVersions, shared_versions
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
RETRIED = (RegistryError, OSError, MemoryError)  # and TimeoutError, which is an OSError


class FailedLoads:
    """Remembers which damaged version is not to be loaded again, and logs each failure once."""

    def __init__(self, event: str) -> None:
        """`event` is the log line of a failure."""
        self._event = event
        self._refused: str | None = None
        self._last_logged: tuple[str, str] | None = None  # version and reason

    def is_refused(self, version: str) -> bool:
        """Whether a version was damaged when it was loaded last."""
        return version == self._refused

    def refuse_if_damaged(self, version: str, error: BaseException) -> None:
        """Refuse a version that is damaged; any other failure may pass, and refuses none."""
        self._refused = version if isinstance(error, CorruptVersionError) else None

    def allow(self) -> None:
        """Refuse no version any more."""
        self._refused = None

    def forget(self) -> None:
        """Refuse no version, and log the next failure whatever it is."""
        self._refused = self._last_logged = None

    def log_once(self, version: str, error: BaseException) -> bool:
        """Log a failure unless it was logged last. Returns whether it is new."""
        if self._last_logged == (version, _reason(error)):
            return False
        self._last_logged = version, _reason(error)
        log.error(self._event, model_version=version, reason=_reason(error))
        return True


class ReloadableModel(Protocol):
    """Answers with one version at a time."""

    @property
    def version(self) -> str:
        """The version that answers at present."""

    async def reload(self, model: FillModel) -> None:
        """Switch to another version, which is loaded and warm."""


class ChampionFollower:
    """Reloads the server when the champion changes.

    Attributes:
        trouble: why the champion does not serve; None if it does, or there is no champion.
        failed: number of distinct failures to load a champion.
    """

    def __init__(self, registry: Registry, server: ReloadableModel, *, threads: int = 0) -> None:
        self._registry, self._server, self._threads = registry, server, threads
        self.trouble: str | None = None
        self.failed = 0
        self._failures = FailedLoads("model.not_reloaded")
        self._is_away = False
        self._following = asyncio.Lock()

    async def follow(self, *, again: bool = False) -> bool:
        """Load the champion unless it serves already. Returns whether the server was reloaded.

        `again` retries a refused version. Failures to load are recorded in `trouble`, not raised.
        """
        if (shared := shared_versions(self._registry)) is not None:
            await self._pull(shared)
        async with self._following:
            try:
                champion = await asyncio.to_thread(self._registry.champion)
            except RETRIED as error:  # unknown at present
                self._failures.log_once("champion", error)
                return False
            if champion is None or (self._failures.is_refused(champion) and not again):
                return False
            if champion == self._server.version:
                self._settle()
                return False
            return await self._reload(champion)

    async def _reload(self, champion: str) -> bool:
        try:
            model = await asyncio.to_thread(load, self._registry, champion, threads=self._threads)
        except RETRIED as error:
            self._failures.refuse_if_damaged(champion, error)
            if not isinstance(error, SharedStorageUnreachableError):  # the registry reports it itself
                self.trouble = _reason(error)
                self.failed += self._failures.log_once(champion, error)
            return False
        previous = self._server.version
        await self._server.reload(model)
        del model
        await asyncio.to_thread(release_memory)
        self._settle()
        log.info("model.reloaded", model_version=champion, previous=previous)
        return True

    async def _pull(self, shared: SharedVersions) -> None:
        """Bring the other machines' changes; on failure, follow the local pointer."""
        try:
            await asyncio.to_thread(shared.pull)
        except (RegistryError, OSError) as error:
            if not self._is_away:
                log.error("models.unreachable", reason=_reason(error))  # noqa: TRY400  the traceback adds nothing
            self._is_away = True
        else:
            if self._is_away:
                log.info("models.reachable_again")
                self._failures.allow()  # it may be one that could not be fetched
            self._is_away = False

    def _settle(self) -> None:
        self.trouble = None
        self._failures.forget()


def load_servable_model(registry: Registry, *, threads: int = 0) -> tuple[FillModel, str | None]:
    """Load the champion, or else the newest version that may serve, with the reason for it. Blocking.

    Raises:
        NothingServesError: no version can be loaded.
        RegistryError: the champion is unknown at present.
    """
    trouble: str | None = None
    for version in serving_order(registry):
        try:
            return load(registry, version, threads=threads), trouble
        except RETRIED as error:
            trouble = trouble or _reason(error)
            log.error("model.not_loaded", model_version=version, reason=_reason(error))  # noqa: TRY400
    raise NothingServesError(trouble, registry.folder)


def serving_order(registry: Registry) -> list[str]:
    """Return the champion, its predecessor, earlier champions and versions that no votes made, newest first.

    A version that waits for a decision or was kept out, which only the database knows, was the champion of no
    other. If the champion is unknown, it may be any version that the gate did not reject.

    Withdrawn versions are left out, except the champion: the run that follows a withdrawal replaces it.
    """
    champion, withdrawn = registry.champion(), registry.withdrawn()
    order = [champion] if champion is not None else []
    with contextlib.suppress(RegistryError):  # its card is damaged, too, or it was the first champion
        order.append(registry.previous(champion))
    cards: list[Card] = []
    for version in reversed(registry.versions()):
        with contextlib.suppress(CorruptVersionError, UnknownVersionError):
            cards.append(registry.card(version))
    served = {card.champion for card in cards}
    for card in cards:
        is_eligible = champion is None or card.kind != "night" or card.version in served
        is_refused = not card.verdict.get("is_promotable", True)
        if is_eligible and not is_refused and card.version not in (*order, *withdrawn):
            order.append(card.version)
    return order


def _reason(error: BaseException) -> str:
    return error.sentence if isinstance(error, RegistryError) else str(error) or type(error).__name__
