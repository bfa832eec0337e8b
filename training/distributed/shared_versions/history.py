"""The entries of the log, and the state of the shared versions after each of them. Pure."""

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
    """One change. Its id distinguishes it from another entry with the same content."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: What
    versions: tuple[Name, ...]
    folder: str = ""  # of an added version: where its files are
    card: str = ""  # of an added version: the SHA-256 of its card
    by: str = ""  # the machine
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)

    def to_bytes(self) -> bytes:
        """One line of JSON."""
        return (json.dumps(self.model_dump(mode="json")) + "\n").encode()


class StoredVersion(BaseModel):
    """The folder of a version's files, and the SHA-256 of the card that lists them."""

    model_config = ConfigDict(frozen=True)

    folder: str
    card: str


class State(BaseModel):
    """Pointers and versions after `position` entries."""

    model_config = ConfigDict(frozen=True)

    url: str
    position: int = 0  # of the last entry
    last: str = ""  # its SHA-256
    champion: Name | None = None
    domain: Name | None = None
    withdrawn: frozenset[Name] = frozenset()
    versions: dict[Name, StoredVersion] = {}
    highest: int = 0  # version number ever claimed

    def after(self, entry: Entry, content: bytes) -> "State":
        """The state after one more entry, stored as `content`."""
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
        """The versions, oldest first."""
        return sorted(self.versions, key=lambda name: int(name[1:]))

    def moved(self, pointer: Pointer, version: Name, *, instead_of: Name | None, by: str) -> Entry:
        """The entry that moves a pointer.

        Raises:
            UnknownVersionError: there is no such version, or no longer.
            WithdrawnVersionError: it must not serve again.
            PointerMovedError: the pointer is no longer `instead_of`.
        """
        if version not in self.versions:
            raise UnknownVersionError(version, self.names())
        if pointer == "champion" and version in self.withdrawn:
            raise WithdrawnVersionError(version)
        now = self.champion if pointer == "champion" else self.domain
        if now != instead_of:
            raise PointerMovedError(pointer, now, version)
        return Entry(what=pointer, versions=(version,), by=by)
