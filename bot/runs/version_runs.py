"""Which version a run made; a rejected run's row does not say."""

from storage.runs import Run
from training.errors import RegistryError
from training.registry.versions import Registry

NEWEST = 20  # versions that are looked at


def version_of(registry: Registry, run: Run) -> str | None:
    """The version whose card names the run; None when it made none, or that is gone."""
    for version in reversed(registry.versions()[-NEWEST:]):
        try:
            if registry.card(version).run_id == run.id:
                return version
        except RegistryError:
            continue
    return None
