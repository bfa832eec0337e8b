"""Atomic, fsynced file writes, and errors of reading and writing in the models folder."""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from training.errors import RegistryUnreadableError, RegistryUnwritableError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
PROCESS_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # where a version must have a file


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def delete(folder: Path) -> None:
    """Delete a folder; of a symbolic link only the link, since its target is not ours."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def fsync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, text: str) -> None:
    """Write a file atomically and durably."""
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        temporary.write_text(text, encoding="utf-8")
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def readable(path: Path, *, missing: tuple[type[OSError], ...] = (FileNotFoundError,)) -> Iterator[None]:
    """Translate the block's OSErrors into RegistryUnreadableError, except those in `missing`."""
    try:
        yield
    except missing:
        raise
    except OSError as error:
        raise RegistryUnreadableError(path, error.strerror or str(error)) from error


@contextlib.contextmanager
def writable(models: Path, *, what: Path | None = None) -> Iterator[None]:
    """Translate the block's OSErrors about `models`, or about `what` in it, into RegistryUnwritableError.

    Errors about other files pass unchanged, and so do too many open files, which are not the folder's fault.
    A full disk is often reported without a file name, and by some libraries without an errno.
    """
    try:
        yield
    except OSError as error:
        is_named = error.filename is not None
        if is_named and not Path(os.fsdecode(error.filename)).is_relative_to(what or models):
            raise
        if error.errno in PROCESS_ERRORS or not (is_named or error.errno in (None, *DISK_ERRORS)):
            raise
        raise RegistryUnwritableError(models, error.strerror or str(error)) from error
