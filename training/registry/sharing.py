"""The seam to versions that several machines share. On one machine, nothing has to be synchronized."""

from typing import Protocol, runtime_checkable

from training.registry.versions import Registry


@runtime_checkable
class SharedVersions(Protocol):
    """What a registry offers in addition if machines share their versions.

    Attributes:
        trouble: why other machines' changes do not arrive at present; None while they do.
    """

    trouble: str | None

    def pull(self) -> None:
        """Bring the other machines' changes. Blocking.

        Raises:
            SharedStorageUnreachableError: the storage cannot be reached; everything here stays as it is.
        """

    def stock(self) -> None:
        """Fetch the versions that must serve if the champion cannot. Blocking."""


def shared_versions(registry: Registry) -> SharedVersions | None:
    """The registry, if it shares its versions with other machines."""
    return registry if isinstance(registry, SharedVersions) else None


def pull(registry: Registry) -> None:
    """Bring the other machines' changes, if there are other machines. Blocking; raises as their `pull`."""
    if (shared := shared_versions(registry)) is not None:
        shared.pull()
