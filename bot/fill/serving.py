"""Keeps the predictor on the champion: at the start, after every run, and when somebody moves the pointer."""

import asyncio
import contextlib

import structlog

from bot.errors import EX_UNAVAILABLE, StartError
from bot.fill.predictor import Predictor, load
from bot.operations.metrics import Metrics
from bot.texts import say
from training.errors import RegistryError
from training.fill_model import FillModel
from training.registry import Registry
from training.serving.loading import give_memory_back, in_order
from training.shared_errors import ModelsAwayError

log = structlog.stdlib.get_logger(__name__)
WATCH_EVERY_S = 2.0  # how soon a promotion from the command line, or another machine, serves
STOCK_EVERY_S = 60.0


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
        self._is_away = False

    async def follow_champion(self, *, again: bool = False) -> bool:
        """Reload when the champion is another version than the one that serves. True: it did.

        A version that turned out to be damaged is not tried every time; `again` tries it once more.
        """
        if self._registry.is_shared:
            await self._pull()
        async with self._reloading:
            champion = self._registry.champion()
            if champion is None or (champion == self._refused and not again):
                return False
            if champion == self.predictor.version:
                self._refused = self.trouble = None
                return False
            try:
                model = await load(self._registry, champion)
            except ModelsAwayError:  # told by the registry itself, and tried again
                return False
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

    async def stock(self) -> None:
        """Have what other machines made here before it must serve, for ever."""
        while self._registry.is_shared:
            with contextlib.suppress(RegistryError):  # when it is needed it is looked for again
                await asyncio.to_thread(self._registry.stock)
            await asyncio.sleep(STOCK_EVERY_S)

    async def _pull(self) -> None:
        """Bring what other machines did; while that cannot be done, serve what is here."""
        try:
            await asyncio.to_thread(self._registry.pull)
        except RegistryError as error:
            if not self._is_away:
                log.error("models.away", reason=str(error))  # noqa: TRY400
            self._is_away = True
        else:
            if self._is_away:
                log.info("models.back")
                self._refused = None  # what could not be fetched
            self._is_away = False


async def load_champion(registry: Registry) -> tuple[FillModel, str | None]:
    """The champion, or else the newest version that may serve and loads, with a sentence that says so.

    Raises:
        StartError: none of them loads.
    """
    trouble: str | None = None
    for version in in_order(registry):
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
