"""Write the first version: the base model, or the starter if the base cannot be loaded."""

import logging

from training.corpus.language import language
from training.errors import NoStarterError
from training.progress import Progress
from training.registry.versions import Registry
from training.settings import Settings, StarterSettings


def install_first(
    settings: Settings, registry: Registry, progress: Progress, starter: StarterSettings
) -> str:
    """Write the first version. Imports torch only when called: most commands start without it.

    Raises:
        NoStarterError: there is no base model, and the language of the corpus has no patterns.
        BaseModelError: the base model cannot be loaded.
    """
    progress.step("looking for the base model")
    from training.models.base_model import find_base

    folder = None if settings.lacks_base else find_base(settings.base_model)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from training.domain.starter import train_starter
    from training.models import torch_model
    from training.models.base_check import require_usable
    from training.models.writing import write_version

    if folder is not None:
        progress.step(f"loading {settings.base_model}")
        base = torch_model.load(folder, base=settings.base_model)
        check = require_usable(base, settings)
        progress.step("writing the new model")
        return write_version(
            registry,
            base,
            kind="base",
            base=settings.base_model,
            settings={},
            precision=settings.precision,
            shown_words=settings.shown_words,
            progress=progress,
            metrics={} if check is None else {"easy_blanks": check.to_json()},
        )
    if not language().starter_patterns.exists():
        raise NoStarterError(settings.corpus_language)
    trained, points = train_starter(
        starter, device=torch_model.pick_device(settings.device), progress=progress
    )
    progress.step("writing the new model")
    return write_version(
        registry,
        trained,
        kind="starter",
        base="starter",
        recipe="from scratch on generated sentences",
        precision=settings.precision,
        shown_words=settings.shown_words,
        settings=starter.model_dump(),
        progress=progress,
        metrics={"loss": [[point.step, round(point.loss, 4)] for point in points]},
    )
