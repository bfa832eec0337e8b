"""Reloads the bot's predictor when the champion changes."""

import asyncio
import contextlib

from bot.answering.early_loading import EarlyModel
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

WATCH_EVERY_S = 2.0  # delay until a promotion on the command line or another machine takes effect
PREFETCH_EVERY_S = 60.0


class BotChampionFollower:
    """Reloads the predictor and counts reloads; `trouble` says why the champion does not serve."""

    def __init__(
        self,
        registry: Registry,
        predictor: Predictor,
        *,
        trouble: str | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._registry, self.predictor = registry, predictor
        self._follower = ChampionFollower(registry, predictor)
        self.trouble = trouble

    async def follow_champion(self, *, again: bool = False) -> bool:
        """Reload if the champion changed. Returns whether it was reloaded.

        A version that was found damaged is retried only when `again` is set, or when the champion pointer
        moves.
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
        """Poll the champion pointer; runs until cancelled."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            await self.follow_champion()

    async def prefetch(self) -> None:
        """Download the versions that serve if the champion cannot, while machines share versions."""
        while (shared := shared_versions(self._registry)) is not None:
            with contextlib.suppress(RegistryError, OSError):  # the next `follow_champion` tries again
                await asyncio.to_thread(shared.prefetch)
            await asyncio.sleep(PREFETCH_EVERY_S)


async def load_champion(registry: Registry, early: EarlyModel | None = None) -> tuple[FillModel, str | None]:
    """Load the champion, or else the newest version that may serve and loads.

    Args:
        registry: The versions.
        early: A model that is being loaded already; it is returned if it is the champion.

    Returns:
        The model, and a sentence that says why it is not the champion; None if it is.

    Raises:
        StartError: No version loads.
        RegistryError: The registry cannot be read at the moment.
    """
    loaded = await asyncio.to_thread(early.take) if early is not None else None
    if loaded is not None and loaded.version == await asyncio.to_thread(registry.champion):
        return loaded, None
    try:
        model, trouble = await asyncio.to_thread(load_servable_model, registry)
    except NothingServesError as error:
        raise StartError(
            f"{error.trouble} No other version can be loaded either. Restore {registry.folder} from a "
            "backup, or move it away to start over; the votes are in the database.",
            exit_code=EX_UNAVAILABLE,
        ) from error
    return model, say("model.until_then", trouble=trouble, version=model.version) if trouble else None
