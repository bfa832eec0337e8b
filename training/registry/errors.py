"""Errors of a champion that moved meanwhile, and of versions that several machines share.

RegistryError
├── PointerMovedError              another process moved the champion or domain pointer first
├── SharedStorageUnreachableError  the shared storage cannot be reached
├── ForeignRegistryError           the local folder and the shared storage hold different versions
└── UnsuitableStorageError         the shared storage lacks what sharing needs
"""

from pathlib import Path

from training.errors import RegistryError


class SharedStorageUnreachableError(RegistryError):
    """The shared storage cannot be reached."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"The models at {url} cannot be reached ({reason}). Nothing was changed here, and the current "
            "version keeps serving. Check FILLBOT_MODELS_URL, the network and this machine's rights there."
        )


class PointerMovedError(RegistryError):
    """Another process moved the champion or domain pointer first."""

    def __init__(self, pointer: str, now: str | None, wanted: str) -> None:
        self.pointer, self.now, self.wanted = pointer, now, wanted
        role = "champion" if pointer == "champion" else "domain model"
        super().__init__(
            f"Somebody made {now or 'nothing'} the {role} meanwhile, so {wanted} did not become it. Check "
            "`!versions` or `python -m training versions`, and decide again."
        )


class ForeignRegistryError(RegistryError):
    """The local folder and the shared storage hold different versions."""

    def __init__(self, folder: Path, url: str, reason: str) -> None:
        super().__init__(
            f"The models in {folder} are not those at {url}: {reason}. Move that folder away to use the "
            "shared models on this machine, or set FILLBOT_MODELS_URL to another storage."
        )


class UnsuitableStorageError(RegistryError):
    """The shared storage lacks what sharing needs; `reason` says what to do."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"Models cannot be shared at {url}: {reason}.")
