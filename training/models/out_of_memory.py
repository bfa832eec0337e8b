"""Memory that runs out: how that shows, and what people are told. No torch."""

import contextlib
import errno
from collections.abc import Iterator

from training.errors import OutOfMemoryError

# What a GPU, torch, cuBLAS, C++, ONNX Runtime and oneDNN say, in small letters.
SAYINGS = (
    "out of memory",
    "can't allocate memory",
    "alloc_failed",
    "bad_alloc",
    "failed to allocate memory",
    "could not create a primitive",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of this machine or of its GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, Exception) and any(saying in said for saying in SAYINGS)
    )


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Say in a sentence that memory ran out, and what to do.

    Raises:
        OutOfMemoryError: it did.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
            raise
        raise OutOfMemoryError from error
