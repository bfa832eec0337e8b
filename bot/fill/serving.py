"""Keeps the predictor on the champion: at the start, after every run, and when somebody moves the pointer."""

import asyncio
import contextlib
import ctypes

import structlog

from bot.errors import EX_UNAVAILABLE, StartError
from bot.fill.predictor import Predictor, load
from bot.operations.metrics import Metrics
from bot.texts import say
from training.errors import RegistryError
from training.fill_model import FillModel
from training.registry import Registry

log = structlog.stdlib.get_logger(__name__)
WATCH_EVERY_S = 2.0  # how soon a promotion from the command line serves


class Serving:
    """What serves, and why it may be another version than the champion."""

    def __init__(
        self,
        registry: Registry,
        predictor: Predictor,
        *,
        trouble: str | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Serve what the predictor has; `trouble` says why that is not the champion."""
        self._metrics = metrics or Metrics()
        self._registry, self.predictor = registry, predictor
        self.trouble = trouble
        self._refused = registry.champion() if trouble else None  # damaged: not tried again every two seconds
        self._reloading = asyncio.Lock()

    async def follow_champion(self, *, again: bool = False) -> bool:
        """Reload when the champion is another version than the one that serves. True: it did.

        A version that turned out to be damaged is not tried every time; `again` tries it once more.
        """
        async with self._reloading:
            champion = self._registry.champion()
            if champion is None or (champion == self._refused and not again):
                return False
            if champion == self.predictor.version:
                self._refused = self.trouble = None
                return False
            try:
                model = await load(self._registry, champion)
            except RegistryError as error:
                self._refused = champion
                self.trouble = say("model.until_then", trouble=error, version=self.predictor.version)
                self._metrics.reload(is_done=False)
                log.error("model.not_reloaded", model_version=champion, reason=str(error))  # noqa: TRY400
                return False
            left = self.predictor.version
            await self.predictor.reload(model)
            await asyncio.to_thread(give_memory_back)
            self._refused = self.trouble = None
            self._metrics.reload(is_done=True)
            log.info("model.reloaded", model_version=champion, left=left)
            return True

    async def watch(self) -> None:
        """Follow the champion for ever."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            await self.follow_champion()


async def load_champion(registry: Registry) -> tuple[FillModel, str | None]:
    """The champion, or else the newest version that may serve and loads, with a sentence that says so.

    Raises:
        StartError: none of them loads.
    """
    trouble: str | None = None
    for version in _in_order(registry):
        try:
            model = await load(registry, version)
        except RegistryError as error:
            trouble = trouble or str(error)
            log.error("model.not_loaded", model_version=version, reason=str(error))  # noqa: TRY400
            continue
        return model, say("model.until_then", trouble=trouble, version=version) if trouble else None
    raise StartError(
        f"{trouble} No other version can be loaded either. Restore {registry.folder} from a backup, or move "
        "it away to begin anew; votes are kept in the database.",
        exit_code=EX_UNAVAILABLE,
    )


def give_memory_back() -> None:
    """Return to the system what the version before took: glibc keeps it, some 60 MB after each reload."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _in_order(registry: Registry) -> list[str]:
    """The champion, the one before it, then what the gate did not refuse, newest first; none withdrawn.

    But for the champion: it is replaced by the run that follows a withdrawal.
    """
    champion, withdrawn = registry.champion(), registry.withdrawn()
    order = [champion] if champion is not None else []
    with contextlib.suppress(RegistryError):  # its card is damaged too, or it was the first
        order.append(registry.previous(champion))
    for version in reversed(registry.versions()):
        with contextlib.suppress(RegistryError):
            is_refused = not registry.card(version).verdict.get("is_promotable", True)
            if not is_refused and version not in (*order, *withdrawn):
                order.append(version)
    return order
