"""Verify, load and warm versions. Blocking; no torch."""

import contextlib
import ctypes
from pathlib import Path

from training.inference.fill_model import FillModel
from training.inference.session import CANDIDATES
from training.registry.versions import SERVED_FILES, Registry

STATUS = Path("/proc/self/status")  # of this process, on Linux
WARM_UP = ("Nike shoes are very [MASK].", "[MASK] and [MASK].")


def load(registry: Registry, version: str, *, threads: int = 0) -> FillModel:
    """Verify, load and warm a version, and return what that has freed; `threads` as in `FillModel`.

    Raises:
        RegistryError: there is no such version, or it is damaged.
    """
    registry.verify(version, only=SERVED_FILES)
    model = FillModel(registry.path(version), threads=threads)
    model.fill(WARM_UP, top=CANDIDATES)
    release_memory()
    return model


def served_folder(registry: Registry, version: str) -> Path:
    """Return the folder of a version with the files that it serves from.

    Raises:
        RegistryError: there is no such version, or one of these files is missing or damaged.
    """
    folder = registry.path(version)
    if not all((folder / name).is_file() for name in SERVED_FILES):
        registry.verify(version, only=SERVED_FILES)  # fetches them, where machines share their versions
    return folder


def release_memory() -> None:
    """Return freed memory to the system: glibc keeps 20 to 100 MB after a load, and 60 after a reload."""
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def peak_memory_mb(folder: Path, query: str) -> float:
    """Load a model, answer a query, and return the most memory that this process has held. Linux only."""
    FillModel(folder).fill([query], top=CANDIDATES)
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
