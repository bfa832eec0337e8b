"""The folder of model versions and the champion pointer.

A version is written as `v0007.partial`, hashed, fsynced and renamed; after that it never changes. The
pointers `champion` and `domain` are one-line files that are replaced atomically, and so is `withdrawn`, which
lists the versions that must not serve again. Nothing here imports torch.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from types import EllipsisType

from pydantic import ValidationError

from storage.files.durable import fsync, replace_file, sha256
from storage.sentences import Sentence
from training.errors import (
    CorruptVersionError,
    NoChampionError,
    NoEarlierVersionError,
    RegistryUnwritableError,
    UnknownVersionError,
    WithdrawnVersionError,
)
from training.registry.card import Card as Card
from training.registry.card import Kind as Kind
from training.registry.errors import PointerMovedError
from training.registry.models_folder import MISSING, delete, readable, writable
from training.registry.publishing.model_card import model_card

VERSION = re.compile(r"v[0-9]{4,9}")
SERVED_FILES = ("model.onnx", "tokenizer.json", "vocabulary.json")
TRAINING_LOG = "training_log.jsonl"  # domain models have one


class Draft:
    """A version being written; `folder` is its private `….partial` folder."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version = version
        self.folder = folder


class Registry:
    """All versions under one folder. Writing needs the run lock; reading needs no lock."""

    def __init__(self, folder: Path) -> None:
        """Create nothing yet: the first version creates the folder."""
        self.folder = folder

    def versions(self) -> list[str]:
        """Return complete versions, oldest first; empty before the folder exists. Raises like `champion`."""
        try:
            with readable(self.folder, missing=MISSING):
                names = [p.name for p in self.folder.iterdir() if VERSION.fullmatch(p.name) and p.is_dir()]
        except MISSING:
            return []
        return sorted(names, key=lambda name: int(name[1:]))

    def path(self, version: str) -> Path:
        """Return the folder of a version.

        Raises:
            UnknownVersionError: There is no such version, or the name is not a version's.
            RegistryUnreadableError: The folder cannot be read at present.
        """
        path = self.folder / version
        with readable(path):
            if not VERSION.fullmatch(version) or not path.is_dir():
                raise UnknownVersionError(version, self.versions())
        return path

    def card(self, version: str) -> Card:
        """Return the card of a version.

        Raises:
            UnknownVersionError: There is no such version.
            CorruptVersionError: Its card is missing, unreadable, or another version's.
            RegistryUnreadableError: The card cannot be read at present.
        """
        path = self.path(version) / "card.json"
        try:
            with readable(path, missing=MISSING):
                content = path.read_bytes()
        except MISSING as error:
            raise CorruptVersionError(version, Sentence("card.json is missing")) from error
        try:
            card = Card.model_validate_json(content)
        except ValidationError as error:
            raise CorruptVersionError(version, Sentence("{name} cannot be read", name="card.json")) from error
        if card.version != version:  # a renamed folder still passes its own hashes
            raise CorruptVersionError(version, Sentence("its files are those of {other}", other=card.version))
        return card

    def champion(self) -> str | None:
        """Return the version that should serve; None before the first.

        Raises:
            RegistryUnreadableError: The pointer cannot be read at present, which is not the same as None.
        """
        return self._pointer("champion")

    def domain(self) -> str | None:
        """Return the version that every night starts from; None before the first. Raises like `champion`."""
        return self._pointer("domain")

    def withdrawn(self) -> frozenset[str]:
        """Return versions that learnt from deleted votes and must not serve again. Raises like `champion`."""
        path = self.folder / "withdrawn"
        try:
            with readable(path):
                # A damaged file may hold other text; every version that it names stays withdrawn.
                names = path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return frozenset()
        return frozenset(VERSION.findall(names))

    def withdraw(self, versions: Iterable[str]) -> None:
        """Mark versions as withdrawn, permanently. Atomic, durable and idempotent."""
        if more := set(versions) - self.withdrawn():
            self._write("withdrawn", sorted(self.withdrawn() | more, key=lambda name: int(name[1:])))

    def require_not_withdrawn(self, version: str) -> None:
        """Raise WithdrawnVersionError for a version that learnt from deleted votes."""
        if version in self.withdrawn():
            raise WithdrawnVersionError(version)

    def promote(self, version: str, *, instead_of: str | EllipsisType | None = ...) -> None:
        """Point `champion` at a version. Atomic and durable.

        Args:
            version: The new champion.
            instead_of: The champion that the decision was made about; `...`: whichever it is now.

        Raises:
            UnknownVersionError: There is no such version.
            WithdrawnVersionError: It must not serve again.
            PointerMovedError: The champion is no longer `instead_of`.
        """
        self.path(version)
        self.require_not_withdrawn(version)
        if instead_of is not ... and (now := self.champion()) not in (instead_of, None):  # None: damaged
            raise PointerMovedError("champion", now, version)
        self._write("champion", [version])

    def set_domain(self, version: str) -> None:
        """Point `domain` at a version. Atomic and durable."""
        self.path(version)
        self._write("domain", [version])

    def previous(self, version: str | None = None) -> str:
        """Return where a rollback from `version` (None: the champion) leads; skips withdrawn versions.

        Raises:
            NoChampionError: No version serves yet.
            NoEarlierVersionError: It has no predecessor, that one is deleted, or its card is damaged.
        """
        version = version or self.champion()
        if version is None:
            raise NoChampionError
        seen, earlier, withdrawn = {version}, version, self.withdrawn()
        while earlier in withdrawn or earlier == version:
            try:
                before = self.card(earlier).champion
            except (UnknownVersionError, CorruptVersionError) as error:
                raise NoEarlierVersionError(version) from error
            if before is None or before in seen or before not in self.versions():
                raise NoEarlierVersionError(version)
            seen.add(before)
            earlier = before
        return earlier

    def verify(self, version: str, *, only: tuple[str, ...] = ()) -> None:
        """Compare the files of a version with the hashes in its card.

        `SERVED_FILES` must exist even if the card does not list them.

        Args:
            version: Which one.
            only: Names of the files to check; empty: all.

        Raises:
            UnknownVersionError: There is no such version.
            CorruptVersionError: A file is missing or changed.
            RegistryUnreadableError: A file cannot be read at present.
        """
        folder, card = self.path(version), self.card(version)
        for name in only or {*SERVED_FILES, *card.files}:
            expected = card.files.get(name)
            if expected is None or Path(name).name != name:
                raise CorruptVersionError(version, Sentence("its card does not list {name}", name=name))
            try:
                with readable(folder / name, missing=MISSING):
                    actual = sha256(folder / name)
            except (*MISSING, ValueError) as error:  # ValueError: not a valid file name
                raise CorruptVersionError(version, Sentence("{name} cannot be read", name=name)) from error
            if actual != expected:
                raise CorruptVersionError(version, Sentence("{name} is not what was written", name=name))

    @contextlib.contextmanager
    def draft(self) -> Iterator[Draft]:
        """Create the private folder of a new version; delete it at the end unless `commit` was called.

        Raises:
            RegistryUnwritableError: The folder cannot be written; other errors of the block pass unchanged.
        """
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for left_over in self.folder.glob("v*.partial"):
                delete(left_over)
            version = self._next()
            if not VERSION.fullmatch(version):
                raise RegistryUnwritableError(self.folder, Sentence("no version number is left"))
            folder = self.folder / f"{version}.partial"
            folder.mkdir()
        try:
            with writable(self.folder, what=folder):
                yield Draft(version, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, draft: Draft, card: Card) -> None:
        """Write README.md and the card with all hashes, fsync everything, then publish by one rename."""
        self._seal(draft, card)
        draft.folder.rename(self.folder / draft.version)
        fsync(self.folder)

    def _next(self) -> str:
        # The pointers count, too: the number of a champion whose folder was deleted must not be reused.
        names = [*self.versions(), *filter(None, (self.champion(), self.domain())), *self.withdrawn()]
        return f"v{max((int(name[1:]) for name in names), default=0) + 1:04d}"

    def _seal(self, draft: Draft, card: Card) -> None:
        (draft.folder / "README.md").write_text(model_card(card), encoding="utf-8")
        files = {p.name: sha256(p) for p in sorted(draft.folder.iterdir()) if p.name != "card.json"}
        card = card.model_copy(update={"files": files})
        (draft.folder / "card.json").write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n")
        for path in draft.folder.iterdir():
            fsync(path)
        fsync(draft.folder)

    def prune(self, keep: int, *, kept: Collection[str] = ()) -> list[str]:
        """Delete all versions but the newest `keep`, the champion, its predecessor and the domain model.

        Those in `kept` stay, too.

        Without a readable champion no version is deleted: the lost pointer may name any of them.

        Raises:
            RegistryUnreadableError: The champion is unknown at present; no version was deleted.
        """
        gone = self._prunable(keep, kept)
        for version in gone:  # renamed first, so that no half-deleted version is visible
            delete((self.folder / version).rename(self.folder / f"{version}.partial"))
        return gone

    def _prunable(self, keep: int, also: Collection[str]) -> list[str]:
        champion, domain = self.champion(), self.domain()
        if champion is None:
            return []
        kept = {*self.versions()[-keep:], *also, champion, domain}
        with contextlib.suppress(NoChampionError, NoEarlierVersionError):
            kept.add(self.previous())
        return [version for version in self.versions() if version not in kept]

    def _pointer(self, name: str) -> str | None:
        path = self.folder / name
        try:
            with readable(path):
                version = path.read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return version if VERSION.fullmatch(version) else None

    def _write(self, name: str, versions: Iterable[str]) -> None:
        try:
            replace_file(self.folder / name, "".join(f"{version}\n" for version in versions).encode())
        except OSError as error:
            raise RegistryUnwritableError(self.folder, error.strerror or str(error)) from error
