"""What happened to the shared versions, entry by entry, and how things stand after it. Pure."""

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from training.errors import UnknownVersionError, WithdrawnVersionError
from training.registry.errors import PointerMovedError

What = Literal["claimed", "added", "champion", "domain", "withdrawn", "pruned"]
Pointer = Literal["champion", "domain"]
Name = str  # of a version


class Entry(BaseModel):
    """One thing that happened. Its id tells it from another of the same content."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: What
    versions: tuple[Name, ...]
    folder: str = ""  # of what was added: where its files are
    card: str = ""  # of what was added: the sha256 of its card
    by: str = ""  # the machine
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)

    def to_bytes(self) -> bytes:
        """As it is stored."""
        return (json.dumps(self.model_dump(mode="json")) + "\n").encode()


class StoredVersion(BaseModel):
    """Where a version's files are, and the sha256 of the card that lists them."""

    model_config = ConfigDict(frozen=True)

    folder: str
    card: str


class State(BaseModel):
    """How things stand after so many entries."""

    model_config = ConfigDict(frozen=True)

    url: str
    position: int = 0  # of the last entry
    last: str = ""  # its sha256
    champion: Name | None = None
    domain: Name | None = None
    withdrawn: frozenset[Name] = frozenset()
    versions: dict[Name, StoredVersion] = {}
    highest: int = 0  # number ever given

    def after(self, entry: Entry, content: bytes) -> "State":
        """How things stand after one more entry, stored as `content`."""
        changed: dict[str, object] = {
            "position": self.position + 1,
            "last": hashlib.sha256(content).hexdigest(),
            "highest": max([self.highest, *(int(name[1:]) for name in entry.versions)]),
        }
        names = set(entry.versions)
        match entry.what:
            case "claimed":
                pass
            case "added":
                (name,) = entry.versions
                changed["versions"] = {
                    **self.versions,
                    name: StoredVersion(folder=entry.folder, card=entry.card),
                }
            case "champion" | "domain":
                (changed[entry.what],) = entry.versions
            case "withdrawn":
                changed["withdrawn"] = self.withdrawn | names
            case "pruned":
                left = {name: stored for name, stored in self.versions.items() if name not in names}
                changed["versions"] = left
        return self.model_copy(update=changed)

    def names(self) -> list[Name]:
        """The versions there are, oldest first."""
        return sorted(self.versions, key=lambda name: int(name[1:]))

    def moved(self, pointer: Pointer, version: Name, *, instead_of: Name | None, by: str) -> Entry:
        """The entry that moves a pointer.

        Raises:
            UnknownVersionError: there is no such version (any more).
            WithdrawnVersionError: it may serve no more.
            PointerMovedError: the pointer is somewhere else by now.
        """
        if version not in self.versions:
            raise UnknownVersionError(version, self.names())
        if pointer == "champion" and version in self.withdrawn:
            raise WithdrawnVersionError(version)
        now = self.champion if pointer == "champion" else self.domain
        if now != instead_of:
            raise PointerMovedError(pointer, now, version)
        return Entry(what=pointer, versions=(version,), by=by)
