"""Recognises out-of-memory errors, and translates them for people. No torch."""

import contextlib
import errno
from collections.abc import Iterator

from training.errors import OutOfMemoryError

# From CUDA, torch, cuBLAS, C++, ONNX Runtime and oneDNN, in lower case; most raise a plain RuntimeError.
MESSAGES = (
    "out of memory",
    "can't allocate memory",
    "alloc_failed",
    "bad_alloc",
    "failed to allocate memory",
    "could not create a primitive",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error means that the machine or its GPU is out of memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, Exception) and any(message in text for message in MESSAGES)
    )


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Translate out-of-memory errors of any library.

    Raises:
        OutOfMemoryError: Memory ran out.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
            raise
        raise OutOfMemoryError from error
