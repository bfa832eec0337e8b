"""Check whether storage can be shared, with temporary names."""

import uuid

from training.distributed.shared_versions.history import State
from training.distributed.shared_versions.log import Log
from training.distributed.shared_versions.storage import Storage
from training.registry.errors import UnsuitableStorageError


def probe_write_access(storage: Storage) -> int:
    """Read the state, and create names like one of several machines. Returns the number of versions.

    Raises:
        SharedStorageUnreachableError: it cannot be reached or written.
        UnsuitableStorageError: it holds something else, or lets two machines create the same name.
    """
    state = Log(storage, State(url=storage.url)).catch_up()
    folder = f"probes/{uuid.uuid4().hex}"
    try:
        is_new = storage.create(f"{folder}/one", b"first")
        is_again = storage.create(f"{folder}/one", b"second")
        if not is_new or is_again or storage.read(f"{folder}/one") != b"first":
            reason = "it writes over what is there where it should not; use S3 or a mounted folder"
            raise UnsuitableStorageError(storage.url, reason)
    finally:
        storage.delete(folder)
    return len(state.versions)
