"""Files that are whole and stay so after a power cut, or are not there."""

import hashlib
import os
import shutil
from pathlib import Path


def sha256(path: Path) -> str:
    """Of what a file holds, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def delete(folder: Path) -> None:
    """Delete a folder of ours; of one that somebody moved and linked, the link alone."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def fsync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
