"""Import versions that the database lacks, from the log of an earlier release or the published state."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ValidationError

from storage.model_versions import ModelVersion
from training.distributed.shared_versions.errors import UnsuitableStorageError
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.state import (
    EARLIER,
    PUBLISHED,
    State,
    StoredVersion,
    name_of,
    number_of,
    publish,
    published_state,
)
from training.distributed.shared_versions.table import ModelVersionTable, Rows, row_of
from training.registry.card import Card


class Entry(BaseModel):
    """An entry of the log that earlier releases kept: `log/000000001` and so on."""

    what: str  # claimed, added, champion, domain, withdrawn, pruned
    versions: tuple[str, ...]
    folder: str = ""
    card: str = ""
    by: str = ""
    at: AwareDatetime


Log = dict[tuple[str, str], Entry]  # (what, or "moved", and version) → the last such entry


def import_versions(url: str, database_url: str) -> str:
    """Make the table match the storage, and publish it. Idempotent. Returns a sentence on the result.

    Raises:
        UnsuitableStorageError: There is nothing to import, or the database has other versions.
        SharedStorageUnreachableError: The storage cannot be reached.
        StorageError: The database cannot be reached.
    """
    storage, table = ObjectStorage(url), ModelVersionTable(database_url)
    present, log = table.state(), Log()
    if storage.read(PUBLISHED) == EARLIER:
        source, log = _read_log(storage)
        is_new = not present.versions
        is_other = not is_new and not present.versions.items() >= source.versions.items()
    else:
        published = published_state(storage)
        if published is None:
            raise UnsuitableStorageError(storage.url, "it is empty; a bot uploads its own")
        source = published
        is_new, is_other = source.revision > present.revision, source.conflicts_with(present)
    if is_other:
        raise UnsuitableStorageError(storage.url, "the database has other versions of the same names")
    if is_new:
        kinds = {name: _kind_of(storage, stored) for name, stored in source.versions.items()}
        present = table.change(lambda rows: _imported(rows, source, log, kinds))
    publish(storage, present)
    done = "Imported" if is_new else "Nothing to do: the database has"
    pointers = f"the champion is {present.champion}, the domain model {present.domain}"
    return f"{done} {len(present.versions)} versions from {storage.url}; {pointers}."


def _kind_of(storage: ObjectStorage, stored: StoredVersion) -> str | None:
    """Return the kind on a version's card; None if the card is missing or damaged."""
    try:
        return Card.model_validate_json(storage.read(f"versions/{stored.folder}/card.json") or b"").kind
    except ValidationError:
        return None


def _imported(rows: Rows, source: State, log: Log, kinds: Mapping[str, str | None]) -> list[ModelVersion]:
    now = datetime.now(UTC)
    names = {*source.versions, *source.withdrawn, *(name_of(row.number) for row in rows)}
    if source.highest:
        names.add(name_of(source.highest))
    changed = []
    for name in sorted(names, key=number_of):
        row, stored = row_of(rows, name), source.versions.get(name)
        if stored is not None:
            row = replace(row, kind=kinds[name], folder=stored.folder, card_hash=stored.card, deleted_at=None)
        elif row.folder is not None:
            row = replace(row, deleted_at=row.deleted_at or now)
        if added := log.get(("added", name)):
            row = replace(row, created_at=added.at)
        if moved := log.get(("moved", name)):
            row = replace(row, moved_at=moved.at, moved_by=moved.by)
        if name in source.withdrawn:
            row = replace(row, withdrawn_at=row.withdrawn_at or now)
        is_champion, is_domain = name == source.champion, name == source.domain
        revision = max(row.revision, source.revision)
        changed.append(replace(row, is_champion=is_champion, is_domain=is_domain, revision=revision))
    return changed


def _read_log(storage: ObjectStorage) -> tuple[State, Log]:
    """Return the state after all entries of the log, and the last entries."""
    log, pointers = Log(), dict[str, str]()
    for position in range(1, len(storage.names_in("log")) + 1):
        try:
            entry = Entry.model_validate_json(storage.read(f"log/{position:09d}") or b"")
        except ValidationError as error:
            reason = f"entry {position} of its log is missing or cannot be read"
            raise UnsuitableStorageError(storage.url, reason) from error
        for version in entry.versions:
            is_move = entry.what in ("champion", "domain")
            log["moved" if is_move else entry.what, version] = entry
            if is_move:
                pointers[entry.what] = version
    versions = {
        version: StoredVersion(folder=entry.folder, card=entry.card)
        for (what, version), entry in log.items()
        if what == "added" and ("pruned", version) not in log
    }
    state = State(
        highest=max((number_of(version) for _, version in log), default=0),
        withdrawn=tuple(sorted(version for what, version in log if what == "withdrawn")),
        versions=versions,
    )
    return state.model_copy(update=pointers), log
