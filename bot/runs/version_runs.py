"""Finds the version that a run made, which the row of a rejected run does not hold."""

from storage.runs import Run
from training.errors import RegistryError
from training.registry.versions import Registry

NEWEST = 20  # versions searched; older runs are not reported any more


def version_of(registry: Registry, run: Run) -> str | None:
    """The version whose card names the run; None if it made none, or the version was deleted."""
    for version in reversed(registry.versions()[-NEWEST:]):
        try:
            if registry.card(version).run_id == run.id:
                return version
        except RegistryError:
            continue
    return None
