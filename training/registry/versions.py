"""The folder of model versions and the champion pointer.

A version is written as `v0007.partial`, hashed, fsynced and renamed; after that it never changes. The
pointers `champion` and `domain` are one-line files, replaced atomically; so is `withdrawn`, with a line for
every version that may serve no more. Nothing here imports torch.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import EllipsisType

from pydantic import ValidationError

from training.errors import (
    CorruptVersionError,
    NoChampionError,
    NoEarlierVersionError,
    RegistryUnwritableError,
    UnknownVersionError,
    WithdrawnVersionError,
)
from training.registry.atomic_files import MISSING, delete, fsync, readable, sha256, writable
from training.registry.card import Card as Card
from training.registry.card import Kind as Kind
from training.registry.errors import PointerMovedError
from training.registry.publishing.model_card import model_card

VERSION = re.compile(r"v[0-9]{4,9}")
SERVED_FILES = ("model.onnx", "tokenizer.json", "vocabulary.json")
TRAINING_LOG = "training_log.jsonl"  # of domain models


class Draft:
    """A version being written; `folder` is its private `….partial` folder."""

    def __init__(self, version: str, folder: Path) -> None:
        """Name the version and the folder to fill."""
        self.version = version
        self.folder = folder


class Registry:
    """All versions under one folder. Writing needs the run lock; reading needs no lock."""

    def __init__(self, folder: Path) -> None:
        """Look at `folder`; it is made when the first version is written."""
        self.folder = folder

    def versions(self) -> list[str]:
        """Complete versions, oldest first; none where there is no such folder yet. Raises as `champion`."""
        try:
            with readable(self.folder, missing=MISSING):
                names = [p.name for p in self.folder.iterdir() if VERSION.fullmatch(p.name) and p.is_dir()]
        except MISSING:
            return []
        return sorted(names, key=lambda name: int(name[1:]))

    def path(self, version: str) -> Path:
        """The folder of a version.

        Raises:
            UnknownVersionError: there is none of that name (anything that is no version name, too).
            RegistryUnreadableError: nobody can say at present.
        """
        path = self.folder / version
        with readable(path):
            if not VERSION.fullmatch(version) or not path.is_dir():
                raise UnknownVersionError(version, self.versions())
        return path

    def card(self, version: str) -> Card:
        """The card of a version.

        Raises:
            UnknownVersionError: there is no such version.
            CorruptVersionError: its card is missing, none, or another version's.
            RegistryUnreadableError: nobody can say at present.
        """
        path = self.path(version) / "card.json"
        try:
            with readable(path, missing=MISSING):
                content = path.read_bytes()
        except MISSING as error:
            raise CorruptVersionError(version, "card.json is missing") from error
        try:
            card = Card.model_validate_json(content)
        except ValidationError as error:
            raise CorruptVersionError(version, "card.json cannot be read") from error
        if card.version != version:  # else a folder that was moved would vouch for itself
            raise CorruptVersionError(version, f"its files are those of {card.version}")
        return card

    def champion(self) -> str | None:
        """The version that serves; None before the first.

        Raises:
            RegistryUnreadableError: nobody can say at present, which is not the same as "none".
        """
        return self._pointer("champion")

    def domain(self) -> str | None:
        """The version every night starts from; None before the first. Raises as `champion`."""
        return self._pointer("domain")

    def withdrawn(self) -> frozenset[str]:
        """Versions that learnt from forgotten votes: they never serve again. Raises as `champion`."""
        path = self.folder / "withdrawn"
        try:
            with readable(path):
                # Whatever else stands there by now: a version that is named is withdrawn.
                names = path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return frozenset()
        return frozenset(VERSION.findall(names))

    def withdraw(self, versions: Iterable[str]) -> None:
        """Mark versions as withdrawn, for ever. Atomic and durable; twice is the same as once."""
        if more := set(versions) - self.withdrawn():
            self._write("withdrawn", sorted(self.withdrawn() | more, key=lambda name: int(name[1:])))

    def require_not_withdrawn(self, version: str) -> None:
        """Refuse a version that learnt from votes that are forgotten.

        Raises:
            WithdrawnVersionError: it is one.
        """
        if version in self.withdrawn():
            raise WithdrawnVersionError(version)

    def promote(self, version: str, *, instead_of: str | EllipsisType | None = ...) -> None:
        """Point `champion` at a version. Atomic and durable.

        Args:
            version: the new champion.
            instead_of: the champion that the decision was made about; `...`: whichever it is now.

        Raises:
            UnknownVersionError: there is no such version.
            WithdrawnVersionError: it may serve no more.
            PointerMovedError: another version than `instead_of` is champion by now.
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
        """Where a rollback from `version` (the champion when None) leads; past those that are withdrawn.

        Raises:
            NoChampionError: nothing serves.
            NoEarlierVersionError: there was no champion before it, that one is gone, or the card is damaged.
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
        """Compare the files of a version with the hashes in its card; `only` names some of them.

        Those that serve must be there, whatever the card lists.

        Raises:
            UnknownVersionError: there is no such version.
            CorruptVersionError: a file is missing or changed.
            RegistryUnreadableError: nobody can say at present.
        """
        folder, card = self.path(version), self.card(version)
        for name in only or {*SERVED_FILES, *card.files}:
            expected = card.files.get(name)
            if expected is None or Path(name).name != name:
                raise CorruptVersionError(version, f"its card does not list {name}")
            try:
                with readable(folder / name, missing=MISSING):
                    actual = sha256(folder / name)
            except (*MISSING, ValueError) as error:  # ValueError: no file can have such a name
                raise CorruptVersionError(version, f"{name} cannot be read") from error
            if actual != expected:
                raise CorruptVersionError(version, f"{name} is not what was written")

    @contextlib.contextmanager
    def draft(self) -> Iterator[Draft]:
        """A new version's private folder; gone again unless `commit` was called on it.

        Raises:
            RegistryUnwritableError: the folder cannot be written; other errors of the block pass as they are.
        """
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for left_over in self.folder.glob("v*.partial"):
                delete(left_over)
            version = self._next()
            if not VERSION.fullmatch(version):
                raise RegistryUnwritableError(self.folder, "no number is left for another version")
            folder = self.folder / f"{version}.partial"
            folder.mkdir()
        try:
            with writable(self.folder, what=folder):
                yield Draft(version, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, draft: Draft, card: Card) -> None:
        """Write the card, for people and with every file's hash, and let the version appear in one rename.

        All of it is fsynced before.
        """
        self._seal(draft, card)
        draft.folder.rename(self.folder / draft.version)
        fsync(self.folder)

    def _next(self) -> str:
        # The pointers too: a number that once served, and whose folder is gone, is not given to another.
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

    def prune(self, keep: int) -> list[str]:
        """Delete all but the newest `keep` versions, the champion, the one before it and the domain model.

        Nothing is deleted while there is no champion: another file than this one may say what serves.

        Raises:
            RegistryUnreadableError: what serves is not known at present; nothing was deleted.
        """
        gone = self._dispensable(keep)
        for version in gone:  # renamed first, so that no half-deleted version can be seen
            delete((self.folder / version).rename(self.folder / f"{version}.partial"))
        return gone

    def _dispensable(self, keep: int) -> list[str]:
        champion, domain = self.champion(), self.domain()
        if champion is None:
            return []
        kept = {*self.versions()[-keep:], champion, domain}
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
        beside = self.folder / f".{name}.{os.getpid()}"
        try:
            beside.write_text("".join(f"{version}\n" for version in versions))
            fsync(beside)
            beside.replace(self.folder / name)
            fsync(self.folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise RegistryUnwritableError(self.folder, error.strerror or str(error)) from error
