"""How a process follows the champion: which version server first, what is tried again, what is refused.

A version that is damaged is refused: it is not tried again until the pointer moves, or somebody asks for it,
since that takes seconds of hashing. Whatever may be otherwise in a moment is tried again at the next look: a
disk, mount or storage that is away, a version that has not arrived yet, too little memory. Either way the
version that server goes on serving, and the reason is logged once.
"""

import asyncio
import contextlib
from typing import Protocol

import structlog

from training.errors import CorruptVersionError, RegistryError, UnknownVersionError
from training.inference.errors import NothingServesError
from training.inference.fill_model import FillModel
from training.inference.loading import load, release_memory
from training.registry.errors import SharedStorageUnreachableError
from training.registry.sharing import SharedVersions, shared_versions
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
REFUSED = (CorruptVersionError,)
RETRIED = (RegistryError, OSError, MemoryError)  # and TimeoutError, which is an OSError


class ModelServer(Protocol):
    """What answers with one version at a time."""

    @property
    def version(self) -> str:
        """The version that server."""

    async def reload(self, model: FillModel) -> None:
        """Serve with another version, loaded and warm."""


class ChampionFollower:
    """Keeps what server on the champion.

    Attributes:
        trouble: why the champion does not serve; None: it does, or there is none.
        failed: how often that was something new.
    """

    def __init__(self, registry: Registry, server: ModelServer, *, threads: int = 0) -> None:
        """Take both ends; `threads` as `FillModel` has them."""
        self._registry, self._server, self._threads = registry, server, threads
        self.trouble: str | None = None
        self.failed = 0
        self._refused: str | None = None  # damaged
        self._last_logged: tuple[str, str] | None = None  # version and reason that were logged last
        self._is_away = False
        self._following = asyncio.Lock()

    async def follow(self, *, again: bool = False) -> bool:
        """Reload when the champion is another version than the one that server. True: it did.

        `again` tries a version that was refused once more. Nothing that keeps it from serving is raised.
        """
        if (shared := shared_versions(self._registry)) is not None:
            await self._pull(shared)
        async with self._following:
            try:
                champion = await asyncio.to_thread(self._registry.champion)
            except RETRIED as error:  # not known at present
                self._log_once("champion", error)
                return False
            if champion is None or (champion == self._refused and not again):
                return False
            if champion == self._server.version:
                self._settle()
                return False
            return await self._reload(champion)

    async def _reload(self, champion: str) -> bool:
        try:
            model = await asyncio.to_thread(load, self._registry, champion, threads=self._threads)
        except RETRIED as error:
            self._refused = champion if isinstance(error, REFUSED) else None
            if not isinstance(error, SharedStorageUnreachableError):  # which the registry tells itself
                self.trouble = _reason(error)
                self.failed += self._log_once(champion, error)
            return False
        left = self._server.version
        await self._server.reload(model)
        del model
        await asyncio.to_thread(release_memory)
        self._settle()
        log.info("model.reloaded", model_version=champion, left=left)
        return True

    async def _pull(self, shared: SharedVersions) -> None:
        """Bring what other machines did; while that cannot be done, follow what is here."""
        try:
            await asyncio.to_thread(shared.pull)
        except (RegistryError, OSError) as error:
            if not self._is_away:
                log.error("models.unreachable", reason=_reason(error))  # noqa: TRY400  the reason says it all
            self._is_away = True
        else:
            if self._is_away:
                log.info("models.reachable_again")
                self._refused = None  # what could not be fetched
            self._is_away = False

    def _settle(self) -> None:
        self._refused = self.trouble = self._last_logged = None

    def _log_once(self, version: str, error: BaseException) -> bool:
        """Log a reason once. True: it is a new one."""
        if self._last_logged == (version, _reason(error)):
            return False
        self._last_logged = version, _reason(error)
        log.error("model.not_reloaded", model_version=version, reason=_reason(error))
        return True


def load_servable_model(registry: Registry, *, threads: int = 0) -> tuple[FillModel, str | None]:
    """The champion, or else the newest version that may serve and loads, with why it is not it. Blocking.

    Raises:
        NothingServesError: none of them loads.
        RegistryError: what server is not known at present.
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
    """The champion, the one before it, then what the gate did not refuse, newest first; none withdrawn.

    But for the champion: it is replaced by the run that follows a withdrawal.
    """
    champion, withdrawn = registry.champion(), registry.withdrawn()
    order = [champion] if champion is not None else []
    with contextlib.suppress(RegistryError):  # its card is damaged too, or it was the first
        order.append(registry.previous(champion))
    for version in reversed(registry.versions()):
        with contextlib.suppress(CorruptVersionError, UnknownVersionError):
            is_refused = not registry.card(version).verdict.get("is_promotable", True)
            if not is_refused and version not in (*order, *withdrawn):
                order.append(version)
    return order


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
