"""Access to the models folder: errors of reading and writing, and deletion."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from training.errors import RegistryUnreadableError, RegistryUnwritableError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
PROCESS_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # where a version must have a file


def delete(folder: Path) -> None:
    """Delete a folder. Of a symbolic link, delete only the link: its target is not ours."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


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

    Errors about other files pass unchanged, and so does a lack of file descriptors, which is no fault of the
    folder. A full disk is often reported without a file name, and by some libraries without an errno.
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
