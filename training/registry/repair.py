"""Repair the pointers of the registry if they, or the versions they name, are damaged. No torch."""

import contextlib
from collections.abc import Callable, Iterable

from training.errors import CorruptVersionError, RegistryError, RegistryUnreadableError, UnknownVersionError
from training.registry.errors import PointerMovedError
from training.registry.versions import SERVED_FILES, Registry

STARTING_KINDS = ("domain", "base", "starter")  # nights may start from these


def repair_champion(registry: Registry, *, last: str | None) -> str | None:
    """Replace a missing champion by the last recorded one, or by the newest undamaged version. Blocking.

    Args:
        registry: The versions.
        last: The champion according to the `runs` table.

    Returns:
        The new champion; None if the champion exists, or no undamaged version does.

    Raises:
        RegistryUnwritableError: The folder cannot be written.
        RegistryUnreadableError: The versions cannot be read at present, so none of them may be chosen.
    """
    if registry.champion() in registry.versions():
        return None
    order = [*filter(None, [last]), *reversed(registry.versions())]
    for version in order:
        try:
            is_refused = not registry.card(version).verdict.get("is_promotable", True)
            if version in registry.withdrawn() or (is_refused and version != last):
                continue
            registry.verify(version, only=SERVED_FILES)
        except RegistryUnreadableError:
            raise
        except RegistryError:
            continue
        registry.promote(version)
        return version
    return None


def repair_domain(registry: Registry, *, make_first: Callable[[], str]) -> str | None:
    """Replace a missing or damaged domain model. Blocking.

    The replacement is the newest undamaged version that has not learnt from votes, or else the one that
    `make_first` creates.

    Returns:
        The replacement; None if the domain model is undamaged.

    Raises:
        TrainingError: No replacement can be created.
    """
    if _first_undamaged(registry, filter(None, [registry.domain()])) is not None:
        return None
    candidates = [one for one in reversed(registry.versions()) if _kind(registry, one) in STARTING_KINDS]
    version = _first_undamaged(registry, candidates) or make_first()
    registry.set_domain(version)
    return version


def serve_first_version(registry: Registry, version: str) -> str:
    """Make a first version champion and domain model. Blocking. Returns the champion.

    An existing domain model becomes champion instead: another process was faster, or crashed before this.

    Raises:
        RegistryError: The pointers cannot be moved.
    """
    with contextlib.suppress(PointerMovedError):
        if registry.domain() not in registry.versions():  # else only the champion pointer was lost
            registry.set_domain(version)
    version = registry.domain() or version
    try:
        registry.promote(version)
    except PointerMovedError as error:
        return error.now or version
    return version


def _first_undamaged(registry: Registry, versions: Iterable[str]) -> str | None:
    for version in versions:
        try:
            registry.verify(version)
        except RegistryUnreadableError:  # it may be undamaged
            raise
        except RegistryError:
            continue
        return version
    return None


def _kind(registry: Registry, version: str) -> str | None:
    try:
        return registry.card(version).kind
    except (CorruptVersionError, UnknownVersionError):
        return None
