"""Hash files, and write them so that they survive a power cut."""

import contextlib
import hashlib
import os
from pathlib import Path


def sha256(path: Path) -> str:
    """Hash a file; return the SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically and durably: it gets its name only when all of it is on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
