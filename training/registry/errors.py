"""Errors of pointers that another process moved, and of shared storage that cannot be reached.

RegistryError
├── PointerMovedError                  another process moved the champion or domain pointer first
├── RegistryUnreadableError
│   └── SharedStorageUnreachableError  the storage that machines share cannot be reached
└── …                                  distributed/shared_versions/errors.py
"""

from training.errors import RegistryError, RegistryUnreadableError


class SharedStorageUnreachableError(RegistryUnreadableError):
    """The storage that machines share cannot be reached, or the database that says what is in it."""

    def __init__(self, url: str, reason: str) -> None:
        RegistryError.__init__(
            self,
            f"The models at {url} cannot be reached ({reason}). Nothing was changed here, and the current "
            "version keeps serving. Check FILLBOT_MODELS_URL, the network and this machine's rights there.",
        )


class PointerMovedError(RegistryError):
    """Another process moved the champion or domain pointer first."""

    def __init__(self, pointer: str, now: str | None, wanted: str) -> None:
        self.pointer, self.now, self.wanted = pointer, now, wanted
        role = "champion" if pointer == "champion" else "domain model"
        super().__init__(
            f"Another process changed the {role} meanwhile: it is now {now or 'unset'}, and {wanted} did not "
            "replace it. Check `!versions` or `python -m training versions`, and decide again."
        )
