"""Keeps the predictor on the champion: at the start, after every run, and when somebody moves the pointer."""

import asyncio
import contextlib

from bot.answering.predictor import Predictor
from bot.errors import EX_UNAVAILABLE, StartError
from bot.operations.metrics import Metrics
from bot.texts import say
from training.errors import RegistryError
from training.inference.champion_follower import ChampionFollower, load_servable_model
from training.inference.errors import NothingServesError
from training.inference.fill_model import FillModel
from training.registry.sharing import shared_versions
from training.registry.versions import Registry

WATCH_EVERY_S = 2.0  # how soon a promotion from the command line, or another machine, serves
STOCK_EVERY_S = 60.0


class BotChampionFollower:
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
        self._follower = ChampionFollower(registry, predictor)
        self.trouble = trouble

    async def follow_champion(self, *, again: bool = False) -> bool:
        """Reload when the champion is another version than the one that serves. True: it did.

        A version that turned out to be damaged is not tried every time; `again` tries it once more.
        """
        failed = self._follower.failed
        is_done = await self._follower.follow(again=again)
        if is_done or self._follower.failed > failed:
            self._metrics.reload(is_done=is_done)
        self.trouble = None
        if (trouble := self._follower.trouble) is not None:
            self.trouble = say("model.until_then", trouble=trouble, version=self.predictor.version)
        return is_done

    async def watch(self) -> None:
        """Follow the champion for ever."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            await self.follow_champion()

    async def stock(self) -> None:
        """Have what other machines made here before it must serve, for ever."""
        while (shared := shared_versions(self._registry)) is not None:
            with contextlib.suppress(RegistryError, OSError):  # when it is needed it is looked for again
                await asyncio.to_thread(shared.stock)
            await asyncio.sleep(STOCK_EVERY_S)


async def load_champion(registry: Registry) -> tuple[FillModel, str | None]:
    """The champion, or else the newest version that may serve and loads, with a sentence that says so.

    Raises:
        StartError: none of them loads.
        RegistryError: what serves is not known at present.
    """
    try:
        model, trouble = await asyncio.to_thread(load_servable_model, registry)
    except NothingServesError as error:
        raise StartError(
            f"{error.trouble} No other version can be loaded either. Restore {registry.folder} from a "
            "backup, or move it away to begin anew; votes are kept in the database.",
            exit_code=EX_UNAVAILABLE,
        ) from error
    return model, say("model.until_then", trouble=trouble, version=model.version) if trouble else None
