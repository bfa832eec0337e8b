"""What holds for versions that machines share: run on a folder with SQLite, and on S3 with PostgreSQL."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert
from support.shared_machines import Machine, rows_of, storage_of
from support.versions import card, registry_of, write

from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.model_versions import ModelVersion
from storage.schema import model_versions
from training.distributed.shared_versions import registry as registry_module
from training.distributed.shared_versions.cached_registry import CachedRegistry
from training.distributed.shared_versions.errors import ForeignRegistryError, UnsuitableStorageError
from training.distributed.shared_versions.importing import import_versions
from training.distributed.shared_versions.object_storage import Transfer
from training.distributed.shared_versions.registry import SharedRegistry
from training.distributed.shared_versions.state import EARLIER, PUBLISHED, published_state
from training.distributed.shared_versions.table import ModelVersionTable
from training.errors import CorruptVersionError, UnknownVersionError, WithdrawnVersionError
from training.registry.errors import PointerMovedError, SharedStorageUnreachableError
from training.registry.repair import repair_champion, serve_first_version
from training.registry.versions import SERVED_FILES, Registry

WEIGHTS = "model.safetensors"


def write_whole(registry: Registry, *, champion: str | None = None) -> str:
    """A version with weights, too."""
    with registry.draft() as draft:
        for name in (*SERVED_FILES, WEIGHTS):
            (draft.folder / name).write_bytes(f"{draft.version} {name}".encode())
        registry.commit(draft, card(draft.version, champion=champion))
    return draft.version


def served(registry: Registry, version: str) -> str:
    registry.verify(version, only=SERVED_FILES)
    return version


def begun(registry: Registry, versions: int = 1) -> str:
    """The first ones, each champion after the one before it."""
    for _ in range(versions):
        version = write_whole(registry, champion=registry.champion())
        registry.promote(version)
    registry.set_domain("v0001")
    return version


def test_a_promotion_serves_on_the_other_machine(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    assert here.champion() is None
    begun(here, 2)
    there.pull()
    assert (there.versions(), there.champion(), there.domain()) == (["v0001", "v0002"], "v0002", "v0001")
    assert there.card("v0002") == here.card("v0002")
    assert there.previous() == "v0001"
    Registry(there.folder).verify("v0002", only=SERVED_FILES)  # it is all here


def test_weights_are_fetched_on_demand(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    begun(here, 2)
    there.pull()
    assert not (there.path("v0002") / WEIGHTS).exists()
    assert not (there.path("v0001") / "model.onnx").exists()
    there.prefetch()
    assert (there.path("v0001") / "model.onnx").exists()
    there.verify("v0001")
    Registry(there.folder).verify("v0001")


def test_a_new_process_continues_from_the_cached_state(machine_of: Machine) -> None:
    begun(machine_of("here"), 2)
    machine_of("there").pull()
    again = machine_of("there")
    assert again.champion() == "v0002"
    again.promote("v0001")
    assert served(machine_of("here"), "v0001") == "v0001"


def test_of_two_promotions_from_the_same_champion_one_wins(machine_of: Machine, database_url: str) -> None:
    here, there = machine_of("here"), machine_of("there")
    begun(here)
    second, third = write(here, champion="v0001"), write(here, champion="v0001")
    there.pull()
    here.promote(second)
    with pytest.raises(PointerMovedError, match="changed the champion meanwhile: it is now v0002, and v0003"):
        there.promote(third)
    assert there.champion() == "v0002"  # what the loser sees is what serves
    there.promote(third)
    rows = rows_of(database_url)
    assert [name for name, row in rows.items() if row.is_champion] == ["v0003"]
    assert all(row.moved_by and row.moved_at and row.kind == "base" for row in rows.values())


def test_a_run_does_not_promote_over_what_came_after_it_began(machine_of: Machine) -> None:
    run, bot = machine_of("here"), machine_of("here")  # two processes of one machine: one folder
    begun(run, 2)
    made = write(run, champion="v0002")
    bot.pull()
    bot.promote("v0001")
    with pytest.raises(PointerMovedError):
        run.promote(made, instead_of="v0002")
    assert run.champion() == "v0001"


def test_a_version_number_is_given_once(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    with here.draft() as first, there.draft() as second:
        assert (first.version, second.version) == ("v0001", "v0002")
    assert write(there) == "v0003"  # nor that of a draft that came to nothing
    here.pull()
    assert here.versions() == ["v0003"]


def test_of_two_first_versions_one_serves_everywhere(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    ours, theirs = write(here), write(there)
    assert serve_first_version(here, ours) == ours
    assert serve_first_version(there, theirs) == ours
    assert (there.champion(), there.domain()) == (ours, ours)


def test_a_machine_that_crashed_before_its_first_promotion_follows_another(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    ours = write(here)
    here.set_domain(ours)
    assert serve_first_version(there, write(there)) == ours
    here.pull()
    assert here.champion() == ours


def test_a_withdrawn_version_is_withdrawn_everywhere(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    begun(here, 3)
    there.pull()
    here.withdraw(["v0002"])
    there.withdraw(["v0003"])
    for registry in (here, there):
        registry.pull()
        assert registry.withdrawn() == {"v0002", "v0003"}


def test_a_withdrawn_version_is_not_promoted_by_a_machine_that_has_not_pulled(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    begun(here, 2)
    there.pull()
    here.withdraw(["v0001"])
    with pytest.raises(WithdrawnVersionError):
        there.promote("v0001")
    assert there.champion() == "v0002"


def test_pruning_keeps_what_serves_and_deletes_on_both_sides(machine_of: Machine, models_url: str) -> None:
    here, there = machine_of("here"), machine_of("there")
    begun(here, 5)
    there.pull()
    assert there.prune(1) == ["v0002", "v0003"]
    here.pull()
    for registry in (here, there):
        assert registry.versions() == ["v0001", "v0004", "v0005"]
    stored = [name.partition("-")[0] for name in storage_of(models_url).names_in("versions")]
    assert stored == ["v0001", "v0004", "v0005"]
    with pytest.raises(UnknownVersionError):
        here.promote("v0002")
    assert write(here) == "v0006"


def test_a_new_champion_is_not_pruned_by_a_machine_that_has_not_pulled(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    begun(here, 4)
    there.pull()
    here.promote("v0002")
    assert there.prune(1) == ["v0003"]  # v0001 is what v0002 would be rolled back to
    here.pull()
    assert (here.champion(), here.versions()) == ("v0002", ["v0001", "v0002", "v0004"])


@pytest.mark.parametrize("name", [*SERVED_FILES, WEIGHTS, "card.json", "README.md"])
@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_a_damaged_cache_heals(machine_of: Machine, name: str, damage: str) -> None:
    here = machine_of("here")
    version = begun(here)
    path = here.path(version) / name
    content = path.read_bytes()
    path.unlink()
    if damage == "flipped":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    machine_of("here").verify(version)
    assert path.read_bytes() == content


def test_a_version_deleted_from_the_cache_is_fetched_again(machine_of: Machine) -> None:
    here = machine_of("here")
    version = begun(here)
    shutil.rmtree(here.path(version))
    here.pull()
    Registry(here.folder).verify(version, only=SERVED_FILES)


@pytest.mark.parametrize("name", ["model.onnx", "vocabulary.json", "card.json"])
def test_files_damaged_in_the_storage_are_not_used(machine_of: Machine, models_url: str, name: str) -> None:
    here, there = machine_of("here"), machine_of("there")
    begun(here)
    there.pull()
    second = write(here, champion="v0001")
    storage = storage_of(models_url)
    (folder,) = (folder for folder in storage.names_in("versions") if folder.startswith(second))
    storage.upload(here.path("v0001") / "README.md", f"versions/{folder}/{name}", step="")
    here.promote(second)
    there.pull()
    assert there.champion() == second
    with pytest.raises((CorruptVersionError, UnknownVersionError)):
        there.verify(second, only=SERVED_FILES)
    served(there, "v0001")
    served(here, second)  # which has what it wrote


def test_local_versions_are_uploaded_by_the_first_machine(machine_of: Machine, tmp_path: Path) -> None:
    registry_of(tmp_path / "here" / "models", 3).withdraw(["v0002"])
    here, there = machine_of("here"), machine_of("there")
    here.pull()
    there.pull()
    assert there.versions() == ["v0001", "v0002", "v0003"]
    assert (there.champion(), there.domain(), there.withdrawn()) == ("v0003", "v0001", {"v0002"})
    assert write(there) == "v0004"


def test_a_copy_of_the_same_versions_joins(machine_of: Machine, tmp_path: Path) -> None:
    models = registry_of(tmp_path / "here" / "models", 2).folder
    shutil.copytree(models, tmp_path / "there" / "models")
    here, there = machine_of("here"), machine_of("there")
    here.pull()
    there.pull()
    there.promote("v0001")
    here.pull()
    assert here.champion() == "v0001"


def test_versions_of_another_origin_are_refused(machine_of: Machine, tmp_path: Path) -> None:
    begun(machine_of("here"), 2)
    models = registry_of(tmp_path / "there" / "models", 1).folder
    there = machine_of("there")
    with pytest.raises(ForeignRegistryError, match="v0001 has other files there"):
        there.pull()
    shutil.rmtree(models / "v0001")
    (models / "champion").write_text("v0002\n")
    assert write(Registry(models)) == "v0003"
    with pytest.raises(ForeignRegistryError, match="are not there: v0003"):
        there.pull()
    assert (there.champion(), there.versions()) == ("v0002", ["v0003"])  # nothing is touched
    shutil.rmtree(models)
    there.pull()
    assert there.champion() == "v0002"


def test_an_interrupted_upload_of_local_versions_is_resumed(
    machine_of: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry_of(tmp_path / "here" / "models", 3)
    add, added = SharedRegistry._add, []

    def fail(self: SharedRegistry, version: str, *arguments: object) -> None:
        if added:
            raise SharedStorageUnreachableError("storage", "cable")
        added.append(version)
        add(self, version, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SharedRegistry, "_add", fail)
    with pytest.raises(SharedStorageUnreachableError):
        machine_of("here").pull()
    monkeypatch.undo()
    machine_of("here").pull()
    there = machine_of("there")
    there.pull()
    assert (there.versions(), there.champion()) == (["v0001", "v0002", "v0003"], "v0003")


def test_a_crash_before_the_pointer_here_was_written_is_settled(machine_of: Machine) -> None:
    here = machine_of("here")
    begun(here, 2)
    for content in (b"v0001\n", b"\xff", b"v0009\n"):
        (here.folder / "champion").write_bytes(content)
        machine_of("here").pull()
        assert here.champion() == "v0002"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1"])
def test_a_lost_cached_state_is_read_again(machine_of: Machine, content: bytes | None) -> None:
    here = machine_of("here")
    begun(here, 3)
    here.prune(1)
    path = here.folder / ".shared.json"
    path.unlink() if content is None else path.write_bytes(content)
    again = machine_of("here")
    again.pull()
    assert (again.champion(), again.versions()) == ("v0003", ["v0001", "v0002", "v0003"])


def test_an_emptied_storage_is_not_followed(machine_of: Machine, models_url: str) -> None:
    here = machine_of("here")
    begun(here, 2)
    storage_of(models_url).delete(PUBLISHED)
    storage_of(models_url).delete("versions")
    again = machine_of("here")
    with pytest.raises(SharedStorageUnreachableError, match="emptied or replaced, or is not mounted"):
        again.pull()
    assert again.trouble is not None
    with pytest.raises(SharedStorageUnreachableError):
        again.promote("v0001")
    assert (again.champion(), again.versions()) == ("v0002", ["v0001", "v0002"])


@pytest.mark.parametrize("content", [b"", b"mine", b"{}", b'{"fillbot": "models", "format": 3}'])
def test_a_storage_of_something_else_or_a_later_release_is_left_alone(
    machine_of: Machine, models_url: str, content: bytes
) -> None:
    here = machine_of("here")
    begun(here)
    storage_of(models_url).write(PUBLISHED, content)
    for registry in (here, machine_of("there"), replica_of(here, models_url)):
        with pytest.raises(UnsuitableStorageError, match="holds something else, or is of a later release"):
            registry.pull()
    assert here.champion() == "v0001"
    assert storage_of(models_url).read(PUBLISHED) == content


def replica_of(registry: SharedRegistry, models_url: str) -> CachedRegistry:
    """A process on another machine, without access to the database."""
    return CachedRegistry(registry.folder.with_name("replica"), storage_of(models_url))


def test_a_replica_follows_without_the_database(machine_of: Machine, models_url: str) -> None:
    here = machine_of("here")
    begun(here, 2)
    replica = replica_of(here, models_url)
    replica.pull()
    assert (replica.champion(), replica.versions()) == ("v0002", ["v0001", "v0002"])
    here.promote("v0001")
    here.withdraw(["v0002"])
    replica.pull()
    assert (served(replica, "v0001"), replica.champion(), replica.withdrawn()) == (
        "v0001",
        "v0001",
        {"v0002"},
    )


def test_a_state_left_unpublished_by_a_crash_is_published_by_the_next_pull(
    machine_of: Machine, models_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = machine_of("here"), machine_of("there")
    begun(here, 2)
    replica = replica_of(here, models_url)

    def die(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(registry_module, "publish", die)
    with pytest.raises(KilledError):
        here.promote("v0001")
    monkeypatch.undo()
    replica.pull()
    assert replica.champion() == "v0002"  # the hint is stale
    there.pull()  # and does not count for who has the database
    assert there.champion() == "v0001"
    replica.pull()
    assert replica.champion() == "v0001"


def test_a_replica_does_not_go_back_to_an_older_state(machine_of: Machine, models_url: str) -> None:
    here = machine_of("here")
    begun(here)
    older = storage_of(models_url).read(PUBLISHED)
    assert older is not None
    write(here)
    here.promote("v0002")
    replica = replica_of(here, models_url)
    replica.pull()
    storage_of(models_url).write(PUBLISHED, older)  # by a machine that was slow
    replica.pull()
    assert replica.champion() == "v0002"
    here.pull()
    assert published_state(storage_of(models_url)).champion == "v0002"  # type: ignore[union-attr]


def test_a_database_of_others_is_refused_and_an_older_copy_brought_up_to_date(
    machine_of: Machine, models_url: str, database_url: str
) -> None:
    here = machine_of("here")
    begun(here, 2)
    here.withdraw(["v0001"])
    table = ModelVersionTable(database_url)
    table.change(lambda rows: [replace(row, is_champion=False, withdrawn_at=None) for row in rows])
    lost = [replace(row, folder=None, card_hash=None, revision=0) for row in table.rows()]
    forget_rows(database_url, lost)
    with pytest.raises(UnsuitableStorageError, match="is an older copy"):
        here.pull()
    assert here.champion() == "v0002"
    for sentence in ("Imported 2 versions", "Nothing to do: the database has 2 versions"):
        assert import_versions(models_url, database_url).startswith(sentence)
    here.pull()
    assert (here.champion(), here.domain(), here.withdrawn()) == ("v0002", "v0001", {"v0001"})
    assert write(here) == "v0003"


def forget_rows(database_url: str, rows: Sequence[ModelVersion]) -> None:
    """As a restored dump has it: these rows, with the revisions that they had."""

    async def work() -> None:
        database = await Database.open(database_url)
        async with database.write() as connection:
            await connection.execute(delete(model_versions))
            if rows:
                await connection.execute(insert(model_versions), [asdict(row) for row in rows])
        await database.close()

    asyncio.run(work())


def earlier_bucket(registry: SharedRegistry, models_url: str, database_url: str) -> None:
    """What an earlier release left: a log instead of the table; v0002 was pruned, v0003 is withdrawn."""
    begun(registry, 4)
    storage = storage_of(models_url)
    rows = rows_of(database_url)
    entries: list[dict[str, Any]] = []
    for name, row in rows.items():
        entries.append({"what": "claimed", "versions": [name]})
        entries.append({"what": "added", "versions": [name], "folder": row.folder, "card": row.card_hash})
        entries.append({"what": "champion", "versions": [name], "by": "vienna"})
    entries.append({"what": "domain", "versions": ["v0001"], "by": "graz"})
    entries.append({"what": "withdrawn", "versions": ["v0003"]})
    entries.append({"what": "pruned", "versions": ["v0002"]})
    entries.append({"what": "claimed", "versions": ["v0005"]})
    storage.delete(f"versions/{rows['v0002'].folder}")
    for position, entry in enumerate(entries, 1):
        line = json.dumps({**entry, "at": "2026-03-01T03:00:00Z"})
        storage.write(f"log/{position:09d}", line.encode())
    storage.write(PUBLISHED, EARLIER)
    forget_rows(database_url, [])


def test_a_bucket_of_an_earlier_release_is_taken_over(
    machine_of: Machine, models_url: str, database_url: str
) -> None:
    earlier_bucket(machine_of("before"), models_url, database_url)
    here = machine_of("here")
    with pytest.raises(UnsuitableStorageError, match="python -m training import-models"):
        here.pull()
    assert import_versions(models_url, database_url).startswith("Imported 3 versions")
    rows = rows_of(database_url)
    assert (rows["v0004"].moved_by, rows["v0001"].moved_by) == ("vienna", "graz")
    assert {row.kind for row in rows.values() if row.folder is not None} == {"base"}
    here.pull()
    assert (here.versions(), here.champion(), here.domain()) == (
        ["v0001", "v0003", "v0004"],
        "v0004",
        "v0001",
    )
    assert here.withdrawn() == {"v0003"}
    assert import_versions(models_url, database_url).startswith("Nothing to do: the database has 3 versions")
    assert write(here) == "v0006"


def test_a_takeover_that_was_killed_before_it_was_published_is_finished(
    machine_of: Machine, models_url: str, database_url: str
) -> None:
    earlier_bucket(machine_of("before"), models_url, database_url)
    import_versions(models_url, database_url)
    storage_of(models_url).write(PUBLISHED, EARLIER)
    assert import_versions(models_url, database_url).startswith("Nothing to do")
    here = machine_of("here")
    here.pull()
    assert here.champion() == "v0004"


def test_a_cache_of_an_earlier_release_goes_on(
    machine_of: Machine, models_url: str, database_url: str
) -> None:
    before = machine_of("here")
    earlier_bucket(before, models_url, database_url)
    path = before.folder / ".shared.json"
    state = json.loads(path.read_bytes())
    del state["revision"], state["format"], state["fillbot"]
    path.write_text(json.dumps({**state, "position": 14, "last": "ab12"}))
    import_versions(models_url, database_url)
    here = machine_of("here")
    here.pull()
    assert (here.champion(), here.versions()) == ("v0004", ["v0001", "v0003", "v0004"])


def test_nothing_is_taken_over_from_an_empty_storage_or_into_another_database(
    machine_of: Machine, models_url: str, database_url: str
) -> None:
    with pytest.raises(UnsuitableStorageError, match="it is empty"):
        import_versions(models_url, database_url)
    here = machine_of("here")
    begun(here)
    storage_of(models_url).write(PUBLISHED, EARLIER)
    entry = {
        "what": "added",
        "versions": ["v0001"],
        "folder": "v0001-x",
        "card": "y",
        "at": "2026-03-01T03:00:00Z",
    }
    storage_of(models_url).write("log/000000001", json.dumps(entry).encode())
    with pytest.raises(UnsuitableStorageError, match="other versions of the same names"):
        import_versions(models_url, database_url)


def test_without_the_database_nothing_changes(
    machine_of: Machine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = machine_of("here")
    begun(here, 2)

    def be_away(*_: object) -> None:
        raise DatabaseUnavailableError("db:5432/fillbot", "connection refused")

    monkeypatch.setattr(ModelVersionTable, "_call", be_away)
    for action in (here.pull, lambda: here.promote("v0001"), lambda: write(here)):
        with pytest.raises(SharedStorageUnreachableError, match="connection refused"):
            action()
    assert here.trouble is not None
    assert (here.champion(), served(here, "v0002")) == ("v0002", "v0002")


def test_a_lost_champion_is_settled_once_for_all(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    ours = write(here)
    there.pull()
    assert repair_champion(there, last=None) == ours
    with pytest.raises(PointerMovedError):
        here.promote(ours)
    assert repair_champion(here, last=None) is None


class KilledError(BaseException):
    """The end of the process."""


class Deadly:
    """What a registry uses, whose user dies at one of its calls: before it is done, or after."""

    def __init__(self, used: object, calls: "Calls") -> None:
        self._used, self._calls = used, calls

    def __getattr__(self, name: str) -> object:
        action = getattr(self._used, name)
        if not callable(action):
            return action

        def call(*arguments: object, **more: object) -> object:
            self._calls.done += 1
            is_last = self._calls.done == self._calls.deadly
            if is_last and not self._calls.is_done:
                raise KilledError
            result = action(*arguments, **more)
            if is_last:
                raise KilledError
            return result

        return call


@dataclass
class Calls:
    """Which call is the last, and whether it is still done."""

    deadly: int = 0
    is_done: bool = False
    done: int = 0


def night(folder: Path, models_url: str, database_url: str, calls: Calls | None = None) -> None:
    """All that a night does to the versions."""
    calls = calls or Calls()
    storage: Any = Deadly(storage_of(models_url), calls)
    table: Any = Deadly(ModelVersionTable(database_url), calls)
    registry = SharedRegistry(folder / "models", storage, table)
    registry.pull()
    version = write_whole(registry, champion=registry.champion())
    registry.withdraw(["v0002"])
    registry.promote(version)
    registry.set_domain(version)
    registry.prune(1)


@pytest.mark.parametrize("is_done", [False, True])
def test_a_crash_at_any_call_leaves_no_half_version(
    machine_of: Machine, models_url: str, database_url: str, tmp_path: Path, crash_step: int, *, is_done: bool
) -> None:
    begun(machine_of("here"), 3)
    watcher = machine_of("watcher")
    deadly, passed = 1 - crash_step, False
    while not passed:
        deadly += crash_step
        try:
            night(tmp_path / "here", models_url, database_url, Calls(deadly, is_done))
            passed = True
        except KilledError:
            pass
        watcher.pull()
        for version in watcher.versions():
            watcher.verify(version)
        again = machine_of("here")
        again.pull()
        assert (again.versions(), again.champion()) == (watcher.versions(), watcher.champion())
        for version in again.versions():
            again.verify(version)
        assert watcher.champion() not in watcher.withdrawn()
        replica = replica_of(watcher, models_url)
        replica.pull()
        assert replica.champion() == watcher.champion()
    assert deadly > 20


PROMOTER = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from support.shared_machines import machine
from training.registry.errors import PointerMovedError

registry = machine(Path({home!r}), {url!r}, {database_url!r})
registry.pull()
version, won = sys.argv[1], 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range({rounds}):
    before = registry.champion()
    try:
        registry.promote(version)
        won += 1
        print("won", before, flush=True)
    except PointerMovedError:
        pass
"""


def test_processes_that_promote_at_once_win_one_after_the_other(
    machine_of: Machine, models_url: str, database_url: str, tmp_path: Path
) -> None:
    """Each process promotes a version of its own, again and again: every champion has one successor."""
    here, racers, rounds = machine_of("here"), 4, 6
    begun(here, racers)
    tests = Path(__file__).parents[1]
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROMOTER.format(
                    tests=str(tests),
                    root=str(tests.parent),
                    home=str(tmp_path / f"racer{number}"),
                    url=models_url,
                    database_url=database_url,
                    rounds=rounds,
                ),
                f"v{number:04d}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tests.parent,
        )
        for number in range(1, racers + 1)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        outputs.append(out)
    # Each win names the champion that it followed. Together they are one walk from the first champion to the
    # last, so each version is left as often as it is reached: two wins over one champion would not fit.
    moves = [
        (line.split()[1], f"v{number:04d}")
        for number, out in enumerate(outputs, 1)
        for line in out.splitlines()
    ]
    here.pull()
    reached = Counter([f"v{racers:04d}", *(after for _, after in moves)])
    left = Counter([*(before for before, _ in moves), str(here.champion())])
    assert reached == left
    assert len(moves) >= racers


def test_large_files_show_how_far_they_are() -> None:
    said: list[object] = []

    class Progress:
        def step(self, name: str, total: int = 0) -> None:
            said.append((name, total))

        def advance(self, units: int = 1, **figures: float) -> None:
            said.append(units)

        def event(self, name: str, **values: object) -> None:
            raise AssertionError

    shown = Transfer(Progress(), "uploading v0001")
    shown.set_size(40_000_000)
    for _ in range(4):
        shown.relative_update(10_500_000)
    assert said == [("uploading v0001", 40), 10, 11, 10, 11]
    Transfer(Progress(), "small").set_size(1000)
    assert len(said) == 5


__all__ = [name for name in globals() if name.startswith("test_")]
