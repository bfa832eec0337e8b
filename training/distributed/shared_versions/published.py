"""The state as it is published in object storage, for processes without access to the database."""

import uuid

from pydantic import ValidationError

from storage.sentences import Sentence
from training.distributed.shared_versions.errors import UnsuitableStorageError
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.state import State
from training.registry.errors import SharedStorageUnreachableError

PUBLISHED = "fillbot.json"
EARLIER = b'{"fillbot": "models", "format": 1}\n'  # by releases that kept a log in object storage


def published_state(storage: ObjectStorage) -> State | None:
    """What is published in the storage; None in an empty one.

    Raises:
        SharedStorageUnreachableError: the storage cannot be reached.
        UnsuitableStorageError: it holds something else.
    """
    content = storage.read(PUBLISHED)
    if content is None:
        return None
    if content == EARLIER:
        reason = Sentence(
            "it is of an earlier release; stop all bots and run `python -m training import-models`"
        )
        raise UnsuitableStorageError(storage.url, reason)
    try:
        state = State.model_validate_json(content)
        if {"fillbot", "format"} <= state.model_fields_set:
            return state
    except ValidationError:
        pass
    reason = Sentence("it holds something else, or is of a later release than this machine's")
    raise UnsuitableStorageError(storage.url, reason)


def publish(storage: ObjectStorage, state: State) -> None:
    """Replace what is published.

    Raises:
        SharedStorageUnreachableError: the storage cannot be reached.
    """
    storage.write(PUBLISHED, state.to_bytes())


def probe(url: str) -> int:
    """Check that the storage can be read, written and deleted from. Returns the number of versions.

    Raises:
        SharedStorageUnreachableError: one of these is not possible.
        UnsuitableStorageError: it holds something else.
    """
    storage = ObjectStorage(url)
    name = f"probes/{uuid.uuid4().hex}"
    try:
        storage.write(name, b"probe")
        if storage.read(name) != b"probe":
            raise SharedStorageUnreachableError(storage.url, Sentence("what was just written is not there"))
    finally:
        storage.delete(name)
    state = published_state(storage)
    return len(state.versions) if state is not None else 0
