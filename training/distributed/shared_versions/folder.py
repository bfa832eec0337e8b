"""Shared storage in a folder that several machines mount."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from training.distributed.shared_versions.storage import Transfer
from training.registry.atomic_files import delete, fsync
from training.registry.errors import SharedStorageUnreachableError, UnsuitableStorageError

BLOCK_BYTES = 4 << 20
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)
UNFIT = "its file system knows no hard links, by which one of two machines wins; use NFS or S3"


class FolderStorage:
    """A folder that all machines mount. Its file system needs hard links, as NFS has."""

    def __init__(self, folder: Path) -> None:
        """The folder must exist when it is used: an unmounted one must not look empty."""
        self.folder, self.url = folder, folder.as_uri()

    def create(self, name: str, content: bytes) -> bool:
        """Hard-link a finished temporary file: atomic, and fails where the name exists."""
        with self._translated_errors():
            path = self._made(name)
            temporary = path.parent / f".{uuid.uuid4().hex}"
            try:
                with temporary.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                try:
                    path.hardlink_to(temporary)
                except FileExistsError:
                    return False
                except OSError as error:
                    if error.errno in NO_LINKS:
                        raise UnsuitableStorageError(self.url, UNFIT) from error
                    raise
                fsync(path.parent)
            finally:
                temporary.unlink(missing_ok=True)
        return True

    def read(self, name: str) -> bytes | None:
        """The content of a file."""
        with self._translated_errors():
            self._require_folder()
            try:
                return (self.folder / name).read_bytes()
            except FileNotFoundError:
                return None

    def read_all(self, names: list[str]) -> list[bytes]:
        """The contents of files."""
        with self._translated_errors():
            return [(self.folder / name).read_bytes() for name in names]

    def inside(self, folder: str) -> list[str]:
        """Leaves out temporary files, whose names begin with a dot."""
        with self._translated_errors():
            self._require_folder()
            with contextlib.suppress(FileNotFoundError):
                found = (path.name for path in (self.folder / folder).iterdir())
                return sorted(name for name in found if not name.startswith("."))
        return []

    def upload(self, source: Path, name: str, transfer: Transfer) -> None:
        """Write a temporary file, flush it and rename it."""
        with self._translated_errors():
            path = self._made(name)
            temporary = path.parent / f".{uuid.uuid4().hex}"
            try:
                _copy(source, temporary, transfer)
                fsync(temporary)
                temporary.replace(path)
                fsync(path.parent)
            finally:
                temporary.unlink(missing_ok=True)

    def download(self, name: str, target: Path, transfer: Transfer) -> None:
        """Copies, and never links: a fault in one cache must not reach the others."""
        with self._translated_errors():
            self._require_folder()
            _copy(self.folder / name, target, transfer)

    def delete(self, folder: str) -> None:
        """Renames the folder first, so that a half-deleted one is not visible."""
        with self._translated_errors(), contextlib.suppress(FileNotFoundError):
            path = self.folder / folder
            delete(path.rename(path.parent / f".{uuid.uuid4().hex}"))

    def _made(self, name: str) -> Path:
        self._require_folder()
        path = self.folder / name
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            for parent in (path.parent.parent, self.folder):
                fsync(parent)
        return path

    def _require_folder(self) -> None:
        if not self.folder.is_dir():
            raise SharedStorageUnreachableError(self.url, "there is no such folder: make it, or mount it")

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise SharedStorageUnreachableError(self.url, error.strerror or str(error)) from error


def _copy(source: Path, target: Path, transfer: Transfer) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        transfer.sized(os.fstat(reading.fileno()).st_size)
        while block := reading.read(BLOCK_BYTES):
            writing.write(block)
            transfer.moved(len(block))
