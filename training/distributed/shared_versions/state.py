"""What the rows of model versions say, as it is published and cached; and changes to the rows. Pure."""

import socket
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from storage.model_versions import ModelVersion
from training.errors import UnknownVersionError, WithdrawnVersionError
from training.registry.errors import PointerMovedError

Pointer = Literal["champion", "domain"]
Rows = Sequence[ModelVersion]


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
    def of(cls, rows: Rows) -> "State":
        """The state that the rows of the table describe."""
        stored = [row for row in rows if row.folder is not None and row.deleted_at is None]
        return cls(
            revision=max((row.revision for row in rows), default=0),
            highest=max((row.number for row in rows), default=0),
            champion=next((name_of(row.number) for row in rows if row.is_champion), None),
            domain=next((name_of(row.number) for row in rows if row.is_domain), None),
            withdrawn=tuple(name_of(row.number) for row in rows if row.withdrawn_at is not None),
            versions={
                name_of(row.number): StoredVersion(folder=row.folder or "", card=row.card_hash or "")
                for row in stored
            },
        )

    def conflicts_with(self, other: "State") -> bool:
        """Whether both have a version of the same name with different files."""
        return any(other.versions.get(name, stored) != stored for name, stored in self.versions.items())

    def to_bytes(self) -> bytes:
        """The state as JSON."""
        return self.model_dump_json().encode()


def name_of(number: int) -> str:
    """The name of the version with a number."""
    return f"v{number:04d}"


def number_of(version: str) -> int:
    """The number of a version."""
    return int(version[1:])


def claimed(rows: Rows) -> list[ModelVersion]:
    """Claim the next number."""
    return [ModelVersion(number=State.of(rows).highest + 1, created_at=_now())]


def added(rows: Rows, version: str, stored: StoredVersion, *, kind: str) -> list[ModelVersion]:
    """Add a version whose files are stored; nothing where there is a version of that name."""
    row = row_of(rows, version)
    if row.folder is not None:
        return []
    return [replace(row, kind=kind, folder=stored.folder, card_hash=stored.card, created_at=_now())]


def moved(rows: Rows, pointer: Pointer, version: str, *, instead_of: str | None) -> list[ModelVersion]:
    """Move a pointer from `instead_of` to a version.

    Raises:
        UnknownVersionError: there is no such version, or no longer.
        WithdrawnVersionError: it must not serve again.
        PointerMovedError: the pointer is no longer at `instead_of`.
    """
    state = State.of(rows)
    if version not in state.versions:
        raise UnknownVersionError(version, list(state.versions))
    if pointer == "champion" and version in state.withdrawn:
        raise WithdrawnVersionError(version)
    present = state.champion if pointer == "champion" else state.domain
    if present != instead_of:
        raise PointerMovedError(pointer, present, version)
    left = [row for row in rows if name_of(row.number) == present != version]
    there = _pointed(row_of(rows, version), pointer, is_there=True)
    return [
        *(_pointed(row, pointer, is_there=False) for row in left),
        replace(there, moved_at=_now(), moved_by=socket.gethostname()),
    ]


def _pointed(row: ModelVersion, pointer: Pointer, *, is_there: bool) -> ModelVersion:
    if pointer == "champion":
        return replace(row, is_champion=is_there)
    return replace(row, is_domain=is_there)


def withdrawn(rows: Rows, versions: Collection[str]) -> list[ModelVersion]:
    """Mark versions as withdrawn."""
    more = sorted(set(versions) - set(State.of(rows).withdrawn))
    return [replace(row_of(rows, version), withdrawn_at=_now()) for version in more]


def deleted(rows: Rows, versions: Collection[str], *, seen: State) -> list[ModelVersion]:
    """Mark versions as deleted, unless a pointer has moved since that was decided."""
    state = State.of(rows)
    if (state.champion, state.domain) != (seen.champion, seen.domain):
        return []
    return [replace(row_of(rows, v), deleted_at=_now()) for v in versions if v in state.versions]


def row_of(rows: Rows, version: str) -> ModelVersion:
    """The row of a version; a new one where there is none."""
    number = number_of(version)
    return next((r for r in rows if r.number == number), ModelVersion(number=number, created_at=_now()))


def _now() -> datetime:
    return datetime.now(UTC)
