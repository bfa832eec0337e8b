"""The seam to versions that several machines share. On one machine there is nothing to synchronize."""

from typing import Protocol, runtime_checkable

from training.registry.versions import Registry


@runtime_checkable
class SharedVersions(Protocol):
    """What a registry offers in addition if machines share their versions.

    Attributes:
        trouble: Why other machines' changes cannot be fetched at present; None if they can.
    """

    trouble: str | None

    def pull(self) -> None:
        """Fetch the other machines' changes. Blocking.

        Raises:
            SharedStorageUnreachableError: The storage cannot be reached; everything here stays as it is.
        """

    def prefetch(self) -> None:
        """Fetch the versions that serve if the champion cannot. Blocking."""


def shared_versions(registry: Registry) -> SharedVersions | None:
    """Return the registry if it shares its versions with other machines, else None."""
    return registry if isinstance(registry, SharedVersions) else None


def pull(registry: Registry) -> None:
    """Fetch the other machines' changes if versions are shared. Blocking; raises as `SharedVersions.pull`."""
    if (shared := shared_versions(registry)) is not None:
        shared.pull()
