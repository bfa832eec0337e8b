"""The state of the table of versions, as it is published in object storage and cached on each machine."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from storage.model_versions import ModelVersion
from storage.sentences import Sentence
from training.distributed.shared_versions.errors import UnsuitableStorageError
from training.distributed.shared_versions.object_storage import ObjectStorage

PUBLISHED = "fillbot.json"
EARLIER = b'{"fillbot": "models", "format": 1}\n'  # by releases that kept a log in object storage
Pointer = Literal["champion", "domain"]


class StoredVersion(BaseModel):
    """The folder of a version's files in object storage, and the SHA-256 of the card that lists them."""

    model_config = ConfigDict(frozen=True)

    folder: str
    card: str


class State(BaseModel):
    """Pointers and versions. A state with a higher revision is newer."""

    model_config = ConfigDict(frozen=True)

    fillbot: Literal["models"] = "models"
    format: Literal[2] = 2
    revision: int = 0
    highest: int = 0  # number that a version has or had
    champion: str | None = None
    domain: str | None = None
    withdrawn: tuple[str, ...] = ()
    versions: dict[str, StoredVersion] = {}

    @classmethod
    def of(cls, rows: Sequence[ModelVersion]) -> "State":
        """Return the state that the rows of the table describe."""
        return cls(
            revision=max((row.revision for row in rows), default=0),
            highest=max((row.number for row in rows), default=0),
            champion=next((name_of(row.number) for row in rows if row.is_champion), None),
            domain=next((name_of(row.number) for row in rows if row.is_domain), None),
            withdrawn=tuple(name_of(row.number) for row in rows if row.withdrawn_at is not None),
            versions={
                name_of(row.number): StoredVersion(folder=row.folder, card=row.card_hash or "")
                for row in rows
                if row.folder is not None and row.deleted_at is None
            },
        )

    def conflicts_with(self, other: "State") -> bool:
        """Whether both have a version of the same name with different files."""
        return any(other.versions.get(name, stored) != stored for name, stored in self.versions.items())


def name_of(number: int) -> str:
    """Return the name of the version with a number."""
    return f"v{number:04d}"


def number_of(version: str) -> int:
    """Return the number of a version."""
    return int(version[1:])


def publish(storage: ObjectStorage, state: State) -> None:
    """Replace what is published.

    Raises:
        SharedStorageUnreachableError: The storage cannot be reached.
    """
    storage.write(PUBLISHED, state.model_dump_json().encode())


def published_state(storage: ObjectStorage) -> State | None:
    """Read the published state; None if the storage is empty.

    Raises:
        SharedStorageUnreachableError: The storage cannot be reached.
        UnsuitableStorageError: It holds something else.
    """
    content = storage.read(PUBLISHED)
    if content is None:
        return None
    reason = Sentence("it holds something else, or is of a later release than this machine's")
    if content == EARLIER:
        reason = Sentence(
            "it is of an earlier release; stop all bots and run `python -m training import-models`"
        )
    try:
        state = State.model_validate_json(content)
    except ValidationError as error:
        raise UnsuitableStorageError(storage.url, reason) from error
    if not {"fillbot", "format"} <= state.model_fields_set:
        raise UnsuitableStorageError(storage.url, reason)
    return state
