"""Versions made ready to answer: verified, loaded and warm. Blocking; no torch."""

import contextlib
import ctypes

from training.errors import RegistryError
from training.fill_model import FillModel
from training.registry import SERVED_FILES, Registry
from training.serving.session import CANDIDATES

WARM_UP = ("Nike shoes are very [MASK].", "[MASK] and [MASK].")


def load(registry: Registry, version: str, *, threads: int = 0) -> FillModel:
    """Verify, load and warm a version; `threads` as `FillModel` has them.

    Raises:
        RegistryError: there is no such version, or it is damaged.
    """
    registry.verify(version, only=SERVED_FILES)
    model = FillModel(registry.path(version), threads=threads)
    model.fill(WARM_UP, top=CANDIDATES)
    return model


def in_order(registry: Registry) -> list[str]:
    """The champion, the one before it, then what the gate did not refuse, newest first; none withdrawn.

    But for the champion: it is replaced by the run that follows a withdrawal.
    """
    champion, withdrawn = registry.champion(), registry.withdrawn()
    order = [champion] if champion is not None else []
    with contextlib.suppress(RegistryError):  # its card is damaged too, or it was the first
        order.append(registry.previous(champion))
    for version in reversed(registry.versions()):
        with contextlib.suppress(RegistryError):
            is_refused = not registry.card(version).verdict.get("is_promotable", True)
            if not is_refused and version not in (*order, *withdrawn):
                order.append(version)
    return order


def give_memory_back() -> None:
    """Return to the system what the version before took: glibc keeps it, some 60 MB after each reload."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
