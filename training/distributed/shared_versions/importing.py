"""Take over versions that the database does not know: from the log of an earlier release, or as published."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ValidationError

from storage.model_versions import ModelVersion
from training.distributed.shared_versions.errors import UnsuitableStorageError
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.published import EARLIER, PUBLISHED, publish, published_state
from training.distributed.shared_versions.state import (
    Rows,
    State,
    StoredVersion,
    name_of,
    number_of,
    row_of,
)
from training.distributed.shared_versions.table import ModelVersionTable
from training.registry.card import Card


class Entry(BaseModel):
    """An entry of the log that earlier releases kept: `log/000000001` and so on."""

    what: str  # claimed, added, champion, domain, withdrawn, pruned
    versions: tuple[str, ...]
    folder: str = ""
    card: str = ""
    by: str = ""
    at: AwareDatetime


def import_versions(url: str, database_url: str) -> str:
    """Bring the table to what the storage says, and publish it. Idempotent. Returns what was done.

    Raises:
        UnsuitableStorageError: there is nothing to take over, or the database has other versions.
        SharedStorageUnreachableError: the storage cannot be reached.
        StorageError: the database cannot be reached.
    """
    storage, table = ObjectStorage(url), ModelVersionTable(database_url)
    before, moves = State.of(table.read()), dict[str, Entry]()
    if storage.read(PUBLISHED) == EARLIER:
        source, moves = _read_log(storage)
        is_new = not before.versions
        is_other = not is_new and not before.versions.items() >= source.versions.items()
    else:
        published = published_state(storage)
        if published is None:
            raise UnsuitableStorageError(storage.url, "it is empty; a bot uploads its own")
        source = published
        is_new, is_other = source.revision > before.revision, source.conflicts_with(before)
    if is_other:
        raise UnsuitableStorageError(storage.url, "the database has other versions of the same names")
    if is_new:
        cards = {version: _card(storage, stored) for version, stored in source.versions.items()}
        before = State.of(table.change(lambda rows: _rows(rows, source, cards, moves)))
    publish(storage, before)
    done = "Took over" if is_new else "Nothing to do: the database has"
    return (
        f"{done} {len(before.versions)} versions from {storage.url}; the champion is {before.champion}, the "
        f"domain model {before.domain}."
    )


def _rows(
    rows: Rows, source: State, cards: Mapping[str, Card | None], moves: Mapping[str, Entry]
) -> Iterator[ModelVersion]:
    now = datetime.now(UTC)
    names = {source.champion, source.domain, *source.versions, *source.withdrawn} - {None}
    numbers = {number_of(str(name)) for name in names} | {row.number for row in rows}
    for number in sorted(numbers | ({source.highest} if source.highest else set())):
        version, row = name_of(number), row_of(rows, name_of(number))
        stored, card, move = source.versions.get(version), cards.get(version), moves.get(version)
        if stored is not None:
            row = replace(row, folder=stored.folder, card_hash=stored.card, deleted_at=None)
        elif row.folder is not None:
            row = replace(row, deleted_at=row.deleted_at or now)
        if card is not None:
            row = replace(row, kind=card.kind, created_at=card.created_at)
        if move is not None:
            row = replace(row, moved_at=move.at, moved_by=move.by)
        yield replace(
            row,
            is_champion=version == source.champion,
            is_domain=version == source.domain,
            withdrawn_at=row.withdrawn_at or (now if version in source.withdrawn else None),
            revision=max(row.revision, source.revision),
        )


def _read_log(storage: ObjectStorage) -> tuple[State, dict[str, Entry]]:
    """The state after all entries, and the last entry that moved a pointer to each version."""
    versions: dict[str, StoredVersion] = {}
    pointers, moves = dict[str, str](), dict[str, Entry]()
    withdrawn, highest = set[str](), 0
    for position in range(1, len(storage.names_in("log")) + 1):
        try:
            entry = Entry.model_validate_json(storage.read(f"log/{position:09d}") or b"")
        except ValidationError as error:
            reason = f"entry {position} of its log is missing or cannot be read"
            raise UnsuitableStorageError(storage.url, reason) from error
        highest = max([highest, *map(number_of, entry.versions)])
        for version in entry.versions:
            if entry.what == "added":
                versions[version] = StoredVersion(folder=entry.folder, card=entry.card)
            elif entry.what == "pruned":
                versions.pop(version, None)
            elif entry.what == "withdrawn":
                withdrawn.add(version)
            elif entry.what in ("champion", "domain"):
                pointers[entry.what], moves[version] = version, entry
    state = State(highest=highest, withdrawn=tuple(sorted(withdrawn)), versions=versions)
    state = state.model_copy(update=pointers)
    return state, moves


def _card(storage: ObjectStorage, stored: StoredVersion) -> Card | None:
    """The card of a version; None where it is damaged, which every machine notices when it fetches it."""
    try:
        return Card.model_validate_json(storage.read(f"versions/{stored.folder}/card.json") or b"")
    except ValidationError:
        return None
