"""Files in object storage: an S3 bucket, another store that fsspec supports, or a mounted folder."""

import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import fsspec
from fsspec.callbacks import DEFAULT_CALLBACK

from storage.files.durable import fsync, sha256
from storage.sentences import Sentence
from training.distributed.shared_versions.errors import UnsuitableStorageError
from training.errors import ExtraMissingError
from training.registry.errors import SharedStorageUnreachableError

if TYPE_CHECKING:
    from training.progress import Progress

SETTING = "FILLBOT_MODELS_URL"
S3 = ("s3", "s3a")
PART_BYTES = 16 << 20  # of multipart transfers, `AT_ONCE` in parallel
AT_ONCE = 4
CONNECT_S, READ_S = 5, 20  # timeouts; the default waits for minutes
MIN_REPORTED_BYTES = 32 << 20  # transfers of smaller files are not reported
MEGABYTE = 1_000_000


class ObjectStorage:
    """Files by name; names may contain slashes. Every method blocks.

    Raises:
        SharedStorageUnreachableError: The storage cannot be reached; from every method.
    """

    def __init__(self, url: str, progress: "Progress | None" = None) -> None:
        """Create the client, without connecting.

        Args:
            url: As `FILLBOT_MODELS_URL`.
            progress: Reports transfers of large files.

        Raises:
            ExtraMissingError: The client of the storage is not installed.
            UnsuitableStorageError: The kind of storage is not supported.
        """
        parts = urlsplit(url)
        self._progress = progress
        self._folder: Path | None = None  # None: a bucket
        self._small: dict[str, int] = {}
        self._large: dict[str, int] = {}
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if parts.scheme in ("", "file"):
            self._folder = Path(unquote(parts.path) if parts.scheme else url).absolute()
            self.url, url = self._folder.as_uri(), str(self._folder)
            options = {"auto_mkdir": True}
        else:
            self.url = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
        if parts.scheme in S3:
            limits = {"connect_timeout": CONNECT_S, "read_timeout": READ_S, "retries": {"max_attempts": 2}}
            options["config_kwargs"] = limits
            self._small = {"max_concurrency": 1}  # one request instead of asking for the size first
            self._large = {"chunksize": PART_BYTES, "max_concurrency": AT_ONCE}
        try:
            self._fs, root = fsspec.core.url_to_fs(url, **options)
        except ImportError as error:
            raise ExtraMissingError(SETTING, "s3fs" if parts.scheme in S3 else parts.scheme) from error
        except ValueError as error:
            reason = Sentence(
                "{scheme}:// is not supported; use s3:// or the path of a mounted folder", scheme=parts.scheme
            )
            raise UnsuitableStorageError(self.url, reason) from error
        self._root = root.rstrip("/")

    def read(self, name: str) -> bytes | None:
        """Return the content of a small file; None if it does not exist."""
        with self._translated_errors():
            try:
                return bytes(self._fs.cat_file(self._path(name), **self._small))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Store or replace a small file, atomically and durably."""
        with self._translated_errors(is_writing=True):
            path = self._path(name)
            if self._folder is None:
                self._fs.pipe_file(path, content)
                return
            temporary = self._path(f".{uuid.uuid4().hex}")
            self._fs.pipe_file(temporary, content)
            fsync(Path(temporary))
            self._fs.mv(temporary, path)
            fsync(Path(path).parent)

    def names_in(self, folder: str) -> list[str]:
        """Return the sorted names directly inside a folder; empty if it does not exist."""
        with self._translated_errors(), contextlib.suppress(FileNotFoundError):
            found = self._fs.ls(self._path(folder), detail=False, refresh=True)
            return sorted(path.rstrip("/").rpartition("/")[2] for path in found)
        return []

    def upload(self, source: Path, name: str, *, step: str) -> None:
        """Store a file durably, and read it back to verify it; `step` names the transfer."""
        with self._translated_errors(is_writing=True):
            path = self._path(name)
            self._fs.put_file(str(source), path, callback=self._transfer(step), **self._large)
            if self._folder is not None:
                for changed in (Path(path), Path(path).parent, Path(path).parent.parent):
                    fsync(changed)
            with self._fs.open(path, "rb", block_size=PART_BYTES) as stored:
                actual = hashlib.file_digest(stored, "sha256").hexdigest()
        if actual != sha256(source):
            reason = Sentence("{name} differs from the local file after the upload", name=name)
            raise SharedStorageUnreachableError(self.url, reason)

    def download(self, name: str, target: Path, *, step: str) -> None:
        """Fetch a file; raises FileNotFoundError where it does not exist."""
        with self._translated_errors():
            self._fs.get_file(self._path(name), str(target), callback=self._transfer(step), **self._large)

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with its files, if it exists."""
        with self._translated_errors(), contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._path(name), recursive=True)

    def probe(self) -> None:
        """Check that files can be written, read and deleted."""
        name = f"probes/{uuid.uuid4().hex}"
        try:
            self.write(name, b"probe")
            if self.read(name) != b"probe":
                raise SharedStorageUnreachableError(self.url, Sentence("a file just written cannot be read"))
        finally:
            self.delete(name)

    def _path(self, name: str) -> str:
        if self._folder is not None and not self._folder.is_dir():  # an unmounted one must not look empty
            reason = Sentence("there is no such folder: create it, or mount it")
            raise SharedStorageUnreachableError(self.url, reason)
        return f"{self._root}/{name}"

    def _transfer(self, step: str) -> fsspec.Callback:
        return Transfer(self._progress, step) if self._progress is not None else DEFAULT_CALLBACK

    @contextlib.contextmanager
    def _translated_errors(self, *, is_writing: bool = False) -> Iterator[None]:
        """Translate the errors of any store: all but a missing file mean that it cannot be reached."""
        try:
            yield
        except SharedStorageUnreachableError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            if isinstance(error, FileNotFoundError):
                if not is_writing:
                    raise
                reason = Sentence("there is no such bucket: create it first")
            raise SharedStorageUnreachableError(self.url, reason) from error


class Transfer(fsspec.Callback):  # type: ignore[misc]
    """Reports the transfer of a large file as a step of the progress, in megabytes."""

    def __init__(self, progress: "Progress", step: str) -> None:
        super().__init__()
        self._progress, self._step = progress, step

    def set_size(self, size: int | None) -> None:
        """Begin the step, if the file is large."""
        super().set_size(size)
        if size and size >= MIN_REPORTED_BYTES:
            self._progress.step(self._step, size // MEGABYTE)

    def relative_update(self, inc: int = 1) -> None:
        """Count transferred bytes."""
        before = self.value // MEGABYTE
        super().relative_update(inc)
        if self.size and self.size >= MIN_REPORTED_BYTES:
            self._progress.advance(self.value // MEGABYTE - before)
