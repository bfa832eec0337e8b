"""The pointers of the registry, where they or what they point at are damaged. No torch."""

import contextlib
from collections.abc import Callable, Iterable

from training.errors import CorruptVersionError, RegistryError, RegistryUnreadableError, UnknownVersionError
from training.registry.errors import PointerMovedError, SharedStorageUnreachableError
from training.registry.sharing import shared_versions
from training.registry.versions import SERVED_FILES, Registry

BEGINNINGS = ("domain", "base", "starter")  # kinds that nights may start from


def repair_champion(registry: Registry, *, last: str | None) -> str | None:
    """Where no champion can be read, or is there, point at the last known, or the newest whole one. Blocking.

    Args:
        registry: where.
        last: the champion as the records of runs have it.

    Returns:
        Who is champion now; None: there was one, or no version is whole, and nothing was done.

    Raises:
        RegistryUnwritableError: the folder cannot be written.
        RegistryUnreadableError: what is there is not known at present, so that nothing may be chosen.
        SharedStorageUnreachableError: the versions are shared, and where they are cannot be reached.
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
        except (SharedStorageUnreachableError, RegistryUnreadableError):
            raise
        except RegistryError:
            continue
        registry.promote(version)
        return version
    return None


def repair_domain(registry: Registry, *, make_first: Callable[[], str]) -> str | None:
    """Where the domain model is gone or damaged, let nights start from another. Blocking.

    That is the newest whole one which no vote has touched; where there is none, `make_first` makes one.

    Returns:
        Which one; None: all is well.

    Raises:
        TrainingError: none can be made.
    """
    if _first_whole(registry, filter(None, [registry.domain()])) is not None:
        return None
    untouched = [one for one in reversed(registry.versions()) if _kind(registry, one) in BEGINNINGS]
    version = _first_whole(registry, untouched) or make_first()
    registry.set_domain(version)
    return version


def serve_first_version(registry: Registry, version: str) -> str:
    """Point at a first version; where another machine was faster, at its. Blocking. Returns what serves.

    Raises:
        RegistryError: the pointers cannot be moved.
    """
    with contextlib.suppress(PointerMovedError):
        if registry.domain() not in registry.versions():  # else only the champion was lost
            registry.set_domain(version)
    if shared_versions(registry) is not None:
        version = registry.domain() or version
    try:
        registry.promote(version)
    except PointerMovedError as error:
        return error.now or version
    return version


def _first_whole(registry: Registry, versions: Iterable[str]) -> str | None:
    for version in versions:
        try:
            registry.verify(version)
        except (SharedStorageUnreachableError, RegistryUnreadableError):  # it may be whole
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
