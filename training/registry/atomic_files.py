"""Files that are whole and stay so after a power cut, or are not there."""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from training.errors import RegistryUnreadableError, RegistryUnwritableError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
OF_THE_PROCESS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # where a file should be: damage


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


@contextlib.contextmanager
def readable(path: Path, *, missing: tuple[type[OSError], ...] = (FileNotFoundError,)) -> Iterator[None]:
    """Raise RegistryUnreadableError where the block cannot read; errors that say it is `missing` pass."""
    try:
        yield
    except missing:
        raise
    except OSError as error:
        raise RegistryUnreadableError(path, error.strerror or str(error)) from error


@contextlib.contextmanager
def writable(models: Path, *, what: Path | None = None) -> Iterator[None]:
    """Raise RegistryUnwritableError for errors that say something of `models`, or of `what` in it.

    Others pass as they are: those of files elsewhere, and too many open files, which is no folder's fault. A
    full disk is often told without a file's name, by libraries without a number either.
    """
    try:
        yield
    except OSError as error:
        is_named = error.filename is not None
        if is_named and not Path(os.fsdecode(error.filename)).is_relative_to(what or models):
            raise
        if error.errno in OF_THE_PROCESS or not (is_named or error.errno in (None, *FULL)):
            raise
        raise RegistryUnwritableError(models, error.strerror or str(error)) from error
