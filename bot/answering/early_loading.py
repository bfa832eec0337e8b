"""Loads the champion while the program is still being imported, which takes as long."""

from threading import Thread

from bot.settings import Settings
from training.errors import RegistryError
from training.inference.fill_model import FillModel
from training.inference.loading import load
from training.registry.versions import Registry


class EarlyModel:
    """The champion of this machine, being loaded in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model: FillModel | None = None
        self._thread = Thread(target=self._load, name="early loading")
        self._thread.start()

    def take(self) -> FillModel | None:
        """Wait for the model and hand it over; further calls return None. Blocking.

        None if there is no champion, if versions are shared with other machines, or if it cannot be loaded.
        The start then loads a version as usual, and says what is wrong.
        """
        self._thread.join()
        model, self._model = self._model, None
        return model

    def _load(self) -> None:
        if self._settings.models_url is not None:
            return
        try:
            registry = Registry(self._settings.models_dir)
            champion = registry.champion()
            self._model = None if champion is None else load(registry, champion)
        except (RegistryError, OSError, MemoryError):
            pass
