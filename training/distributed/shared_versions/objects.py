"""Shared storage in an object store: S3 and others that fsspec supports."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from training.distributed.shared_versions.storage import SETTING, Transfer
from training.errors import ExtraMissingError
from training.registry.errors import SharedStorageUnreachableError, UnsuitableStorageError

S3 = ("s3", "s3a")
PART_BYTES = 16 << 20  # of multipart transfers, `AT_ONCE` in parallel
AT_ONCE = 4
CONNECT_S, READ_S = 5, 20  # timeouts; the default waits for minutes


class ObjectStorage:
    """An object store that fsspec supports, with conditional writes: S3 and compatible stores."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
        try:
            import fsspec
        except ImportError as error:
            raise ExtraMissingError(SETTING, "fsspec") from error
        self._callback = fsspec.callbacks.Callback
        try:
            self._fs, root = fsspec.core.url_to_fs(url, **_options(parts.scheme))
        except ImportError as error:
            raise ExtraMissingError(SETTING, "s3fs" if parts.scheme in S3 else parts.scheme) from error
        except ValueError as error:
            reason = f"{parts.scheme}:// is not supported; use s3:// or the path of a mounted folder"
            raise UnsuitableStorageError(self.url, reason) from error
        self._root = root.rstrip("/")
        is_s3 = "s3" in _protocols(self._fs)
        self._small: dict[str, int] = {"max_concurrency": 1} if is_s3 else {}  # in one request
        self._large: dict[str, int] = {"chunksize": PART_BYTES, "max_concurrency": AT_ONCE} if is_s3 else {}

    def create(self, name: str, content: bytes) -> bool:
        """A conditional write."""
        try:
            with self._translated_errors(), self._existing_bucket():
                self._fs.pipe_file(self._path(name), content, mode="create")
        except FileExistsError:
            return False
        return True

    def read(self, name: str) -> bytes | None:
        """The content of an object."""
        try:
            with self._translated_errors():
                return bytes(self._fs.cat_file(self._path(name), **self._small))
        except FileNotFoundError:
            return None

    def read_all(self, names: list[str]) -> list[bytes]:
        """Fetches concurrently."""
        if not names:
            return []
        paths = [self._path(name) for name in names]
        with self._translated_errors():
            found = self._fs.cat(paths)
            return [bytes(found[path]) for path in paths]

    def inside(self, folder: str) -> list[str]:
        """An uncached listing."""
        with self._translated_errors(), contextlib.suppress(FileNotFoundError):
            found = self._fs.ls(self._path(folder), detail=False, refresh=True)
            return sorted(path.rstrip("/").rpartition("/")[2] for path in found)
        return []

    def upload(self, source: Path, name: str, transfer: Transfer) -> None:
        """Multipart for large files."""
        with self._translated_errors(), self._existing_bucket():
            self._fs.put_file(
                str(source), self._path(name), callback=self._callback_for(transfer), **self._large
            )

    def download(self, name: str, target: Path, transfer: Transfer) -> None:
        """Multipart for large files."""
        with self._translated_errors():
            self._fs.get_file(
                self._path(name), str(target), callback=self._callback_for(transfer), **self._large
            )

    def delete(self, folder: str) -> None:
        """Delete all objects under a prefix."""
        with self._translated_errors(), contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._path(folder), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _callback_for(self, transfer: Transfer) -> Any:
        class _Callback(self._callback):  # type: ignore[name-defined,misc]
            def set_size(self, size: int | None) -> None:
                transfer.sized(size or 0)

            def relative_update(self, inc: int = 1) -> None:
                transfer.moved(inc)

        return _Callback()

    @contextlib.contextmanager
    def _existing_bucket(self) -> Iterator[None]:
        """A FileNotFoundError while writing means that the bucket does not exist."""
        try:
            yield
        except FileNotFoundError as error:
            raise SharedStorageUnreachableError(self.url, "there is no such bucket: make it first") from error

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Every store raises its own errors; all but two mean that it cannot be reached."""
        try:
            yield
        except (FileExistsError, FileNotFoundError, SharedStorageUnreachableError):
            raise
        except Exception as error:
            raise SharedStorageUnreachableError(self.url, _reason(error)) from error


def _options(scheme: str) -> dict[str, Any]:
    """No caching, and timeouts."""
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme in S3:
        limits = {"connect_timeout": CONNECT_S, "read_timeout": READ_S, "retries": {"max_attempts": 2}}
        options["config_kwargs"] = limits
    return options


def _protocols(fs: Any) -> Iterable[str]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _reason(error: Exception) -> str:
    """The message on one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
