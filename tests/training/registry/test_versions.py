"""The folder of versions: nothing half-written is ever seen, nothing damaged serves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from support.versions import card, registry_of, write

from training.errors import (
    CorruptVersionError,
    NoChampionError,
    NoEarlierVersionError,
    RegistryUnwritableError,
    UnknownVersionError,
    WithdrawnVersionError,
)
from training.registry import versions as registry_module
from training.registry.errors import PointerMovedError
from training.registry.publishing.model_card import model_card
from training.registry.versions import SERVED_FILES, Registry

FullDisk = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def names(registry: Registry) -> set[str]:
    return {path.name for path in registry.folder.iterdir()}


def test_before_the_first_version(registry: Registry) -> None:
    assert (registry.versions(), registry.champion(), registry.domain()) == ([], None, None)
    with pytest.raises(UnknownVersionError, match="none yet"):
        registry.path("v0001")
    with pytest.raises(NoChampionError):
        registry.previous()
    assert registry.prune(3) == []


def test_versions_are_numbered_from_one_and_found_oldest_first(registry: Registry) -> None:
    assert [write(registry) for _ in range(3)] == ["v0001", "v0002", "v0003"]
    assert registry.versions() == ["v0001", "v0002", "v0003"]
    assert names(registry) == {"v0001", "v0002", "v0003"}  # no drafts left


def test_numbers_beyond_four_digits_sort_as_numbers(registry: Registry) -> None:
    write(registry)
    (registry.folder / "v0001").rename(registry.folder / "v9999")
    assert write(registry) == "v10000"
    assert registry.versions() == ["v9999", "v10000"]


def test_a_version_that_may_still_be_promoted_is_not_pruned(registry: Registry) -> None:
    for _ in range(4):
        write(registry)
    registry.promote("v0004")
    assert registry.prune(1, kept={"v0002"}) == ["v0001", "v0003"]
    assert registry.versions() == ["v0002", "v0004"]


def test_numbers_are_never_given_twice(registry: Registry) -> None:
    for _ in range(3):
        write(registry)
    registry.promote("v0003")
    assert registry.prune(1) == ["v0001", "v0002"]
    assert write(registry) == "v0004"
    # Somebody deletes the folder of the champion: its number must not come to serve by itself.
    registry.promote("v0004")
    for path in (registry.folder / "v0004").iterdir():
        path.unlink()
    (registry.folder / "v0004").rmdir()
    assert write(registry) == "v0005"


def test_the_card_keeps_what_was_written_and_lists_every_file(registry: Registry) -> None:
    version = write(registry, kind="night", parent="v0001", retraining_set_hash="abc", settings={"seed": 3})
    found = registry.card(version)
    assert (found.version, found.kind, found.parent, found.settings) == (
        version,
        "night",
        "v0001",
        {"seed": 3},
    )
    assert set(found.files) == {*SERVED_FILES, "README.md"}
    registry.verify(version)
    registry.verify(version, only=SERVED_FILES)


def test_every_version_has_a_card_for_people(registry: Registry) -> None:
    version = write(registry, kind="night", parent="v0001", recipe="tilted target")
    found = (registry.path(version) / "README.md").read_text(encoding="utf-8")
    assert found == model_card(registry.card(version))
    (registry.path(version) / "README.md").write_text("something else")
    with pytest.raises(CorruptVersionError, match=r"README\.md is not what was written"):
        registry.verify(version)


def test_a_version_of_before_there_were_such_cards(registry: Registry) -> None:
    version = write(registry)
    folder = registry.path(version)
    (folder / "README.md").unlink()
    content = json.loads((folder / "card.json").read_text())
    del content["files"]["README.md"]
    (folder / "card.json").write_text(json.dumps(content))
    registry.verify(version)


@pytest.mark.parametrize("name", SERVED_FILES)
@pytest.mark.parametrize("damage", ["flipped byte", "truncated", "longer", "missing", "a folder"])
def test_damage_is_detected(registry: Registry, name: str, damage: str) -> None:
    version = write(registry)
    path = registry.path(version) / name
    content = path.read_bytes()
    path.unlink()
    if damage == "flipped byte":
        path.write_bytes(content[:3] + bytes([content[3] ^ 1]) + content[4:])
    elif damage == "truncated":
        path.write_bytes(content[:-1])
    elif damage == "longer":
        path.write_bytes(content + b"\n")
    elif damage == "a folder":
        path.mkdir()
    for only in ((), SERVED_FILES):
        with pytest.raises(CorruptVersionError, match=rf"{version} is damaged: {name}"):
            registry.verify(version, only=only)


def test_damage_elsewhere_is_seen_by_a_full_check_only(registry: Registry) -> None:
    with registry.draft() as draft:
        for name in (*SERVED_FILES, "plot.png"):
            (draft.folder / name).write_text("x")
        registry.commit(draft, card(draft.version))
    (registry.path("v0001") / "plot.png").write_text("y")
    registry.verify("v0001", only=SERVED_FILES)
    with pytest.raises(CorruptVersionError, match=r"plot\.png is not what was written"):
        registry.verify("v0001")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "v0001"}', b"\xff\xfe"])
def test_a_damaged_card(registry: Registry, content: str | bytes) -> None:
    version = write(registry)
    path = registry.path(version) / "card.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CorruptVersionError, match=r"card\.json cannot be read"):
        registry.verify(version)
    path.unlink()
    with pytest.raises(CorruptVersionError, match=r"card\.json is missing"):
        registry.card(version)


@pytest.mark.parametrize("files", [{}, {"model.onnx": "0" * 64}, {"../v0002/model.onnx": "0" * 64}])
def test_a_card_that_lists_too_little_or_too_much(registry: Registry, files: dict[str, str]) -> None:
    version = write(registry)
    path = registry.path(version) / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": files}))
    with pytest.raises(CorruptVersionError):
        registry.verify(version)


def test_a_card_of_a_later_release_is_still_read(registry: Registry) -> None:
    version = write(registry)
    path = registry.path(version) / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "new_field": 1}))
    registry.verify(version)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../v0001", "v0001/", "v0001/../v0001", "v1", "V0001", "v0001 ", "champion", "v٠٠٠١"],
)
def test_only_names_of_versions_are_looked_for(registry: Registry, name: str) -> None:
    write(registry)
    for look in (registry.path, registry.card, registry.verify, registry.promote, registry.set_domain):
        with pytest.raises(UnknownVersionError, match="Versions here: v0001"):
            look(name)


def test_pointers_are_moved_and_leave_nothing_beside(registry: Registry) -> None:
    for _ in range(2):
        write(registry)
    registry.promote("v0001")
    registry.set_domain("v0001")
    registry.promote("v0002")
    assert (registry.champion(), registry.domain()) == ("v0002", "v0001")
    assert (registry.folder / "champion").read_text() == "v0002\n"
    assert names(registry) == {"v0001", "v0002", "champion", "domain"}


def test_a_pointer_to_no_version_is_not_written(registry: Registry) -> None:
    write(registry)
    registry.promote("v0001")
    with pytest.raises(UnknownVersionError):
        registry.promote("v0009")
    assert registry.champion() == "v0001"


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"v1\n", b"../../etc\n", b"v0001\nv0002\n", b"\xff\xfe\x00", b"none", "v٠٠٠١".encode()],
)
def test_garbage_in_a_pointer_is_no_version(registry: Registry, content: bytes) -> None:
    write(registry)
    (registry.folder / "champion").write_bytes(content)
    assert registry.champion() is None
    registry.promote("v0001")
    assert registry.champion() == "v0001"


def test_a_champion_that_moved_in_between_is_not_replaced(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 3)
    registry.promote("v0002")
    with pytest.raises(PointerMovedError):
        registry.promote("v0003", instead_of="v0001")
    assert registry.champion() == "v0002"
    registry.promote("v0003", instead_of="v0002")
    assert registry.champion() == "v0003"


def test_a_pointer_that_cannot_be_written(registry: Registry) -> None:
    write(registry)
    (registry.folder / "champion").mkdir()
    with pytest.raises(RegistryUnwritableError, match="the champion is unchanged"):
        registry.promote("v0001")
    assert names(registry) == {"v0001", "champion"}


def test_where_a_rollback_leads(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 3)
    assert registry.previous() == "v0002"
    registry.promote("v0002")
    assert registry.previous() == "v0001"  # not back and forth
    assert registry.previous("v0003") == "v0002"
    registry.promote("v0001")
    with pytest.raises(NoEarlierVersionError, match="from v0001"):
        registry.previous()


def test_there_is_no_way_back_to_what_is_gone(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 3)
    (registry.folder / "v0002").rename(registry.folder / "elsewhere")
    with pytest.raises(NoEarlierVersionError):
        registry.previous()


def test_there_is_no_way_back_by_a_damaged_card(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 2)
    (registry.path("v0002") / "card.json").write_text("garbage")
    with pytest.raises(NoEarlierVersionError, match="Name one"):
        registry.previous()


def test_cards_that_lead_in_a_circle(registry: Registry) -> None:
    write(registry, champion="v0001")  # before itself
    registry.promote("v0001")
    with pytest.raises(NoEarlierVersionError):
        registry.previous()
    write(registry, champion="v0003")
    write(registry, champion="v0002")
    registry.promote("v0003")
    assert registry.previous() == "v0002"


def test_pruning_keeps_the_newest_and_what_is_needed(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 10)
    registry.set_domain("v0002")
    registry.promote("v0005")  # an earlier one serves again; the one before it is v0004
    assert registry.prune(2) == ["v0001", "v0003", "v0006", "v0007", "v0008"]
    assert registry.versions() == ["v0002", "v0004", "v0005", "v0009", "v0010"]
    assert registry.prune(2) == []


def test_pruning_survives_a_damaged_champion(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 4)
    (registry.path("v0004") / "card.json").unlink()
    assert registry.prune(2) == ["v0002"]


def test_a_half_deleted_version_is_not_seen_and_is_cleared_away(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 2)
    (registry.folder / "v0001").rename(registry.folder / "v0001.partial")  # killed while it pruned
    assert registry.versions() == ["v0002"]
    write(registry)
    assert registry.versions() == ["v0002", "v0003"]
    assert not (registry.folder / "v0001.partial").exists()


class CrashError(BaseException):
    """Nothing catches this one."""


@pytest.mark.parametrize("point", ["the draft", "sha256", "write_text", "fsync", "rename"])
def test_an_exception_at_any_point_leaves_no_version(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    write(registry)

    def crash(*_: object, **__: object) -> None:
        raise CrashError

    def draft_and_crash() -> None:
        with registry.draft() as draft:
            for name in SERVED_FILES:
                (draft.folder / name).write_bytes(b"x")
            if point == "the draft":
                crash()
            elif hasattr(registry_module, point):
                monkeypatch.setattr(registry_module, point, crash)
            else:
                monkeypatch.setattr(Path, point, crash)
            registry.commit(draft, card(draft.version))

    with pytest.raises(CrashError):
        draft_and_crash()
    monkeypatch.undo()
    assert names(registry) == {"v0001"}
    assert write(registry) == "v0002"


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from storage.files import durable as files
from training.registry import versions as module
from training.registry.versions import Registry
from support.versions import write

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def kill_after(function, calls):
    count = 0
    def counting(*arguments, **named):
        nonlocal count
        count += 1
        if count > calls:
            kill()
        return function(*arguments, **named)
    return counting

registry = Registry(Path(sys.argv[1]))
point, calls = sys.argv[2], int(sys.argv[3])
owner = module if hasattr(module, point) else Path
setattr(owner, point, kill_after(getattr(owner, point), calls))
files.fsync = module.fsync  # of the pointers
version = write(registry, champion=registry.champion())
registry.promote(version)
print("done")
"""


@pytest.mark.parametrize(
    ("point", "calls", "versions", "champion"),
    [
        ("write_bytes", 0, ["v0001"], "v0001"),  # while the draft is filled
        ("write_bytes", 2, ["v0001"], "v0001"),
        ("sha256", 1, ["v0001"], "v0001"),
        ("write_text", 0, ["v0001"], "v0001"),  # the card for people
        ("write_text", 1, ["v0001"], "v0001"),  # the card
        ("fsync", 2, ["v0001"], "v0001"),
        ("rename", 0, ["v0001"], "v0001"),
        ("fsync", 5, ["v0001"], "v0001"),
        ("fsync", 6, ["v0001", "v0002"], "v0001"),  # the version has appeared, nobody serves it yet
        ("write_bytes", 3, ["v0001", "v0002"], "v0001"),  # the pointer, in a temporary file
        ("replace", 0, ["v0001", "v0002"], "v0001"),
        ("fsync", 8, ["v0001", "v0002"], "v0002"),
    ],
)
def test_kill_9_at_any_point_leaves_a_registry_in_order(
    tmp_path: Path, point: str, calls: int, versions: list[str], champion: str
) -> None:
    registry = registry_of(tmp_path / "models", 1)
    tests = Path(__file__).parents[2]
    process = subprocess.run(
        [sys.executable, "-c", KILLED.format(tests=str(tests)), str(registry.folder), point, str(calls)],
        cwd=tests.parent,
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == -signal.SIGKILL, process.stdout + process.stderr
    assert (registry.versions(), registry.champion()) == (versions, champion)
    for version in versions:
        registry.verify(version)
    after = write(registry)
    registry.verify(after)
    assert int(after[1:]) == len(versions) + 1
    assert not list(registry.folder.glob("*.partial"))


def test_a_full_disk(registry: Registry, full_disk: FullDisk) -> None:
    with full_disk(20), pytest.raises(RegistryUnwritableError, match="Free some disk space"):
        write(registry, content=b"x" * 100)
    assert registry.versions() == []
    assert names(registry) == set()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    registry = Registry(tmp_path / "models")
    assert registry.versions() == []
    with pytest.raises(RegistryUnwritableError):
        write(registry)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(registry: Registry) -> None:
    write(registry)
    registry.folder.chmod(0o500)
    with pytest.raises(RegistryUnwritableError):
        write(registry)
    with pytest.raises(RegistryUnwritableError):
        registry.promote("v0001")
    registry.folder.chmod(0o700)


def test_a_withdrawn_version_never_serves_again(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 3)
    assert registry.withdrawn() == frozenset()
    registry.withdraw(["v0002"])
    with pytest.raises(WithdrawnVersionError, match="v0002 is withdrawn"):
        registry.promote("v0002")
    assert registry.champion() == "v0003"
    registry.promote("v0001")


def test_withdrawing_adds_to_what_is_withdrawn(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 3)
    for versions in (["v0003"], ["v0002", "v0003"], []):
        registry.withdraw(versions)
    assert registry.withdrawn() == {"v0002", "v0003"}
    assert (registry.folder / "withdrawn").read_text() == "v0002\nv0003\n"


def test_a_rollback_leads_past_withdrawn_versions(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 3)
    registry.withdraw(["v0002"])
    assert registry.previous() == "v0001"
    registry.withdraw(["v0001"])
    with pytest.raises(NoEarlierVersionError):
        registry.previous()


def test_the_number_of_a_withdrawn_version_is_not_given_to_another(tmp_path: Path) -> None:
    registry = registry_of(tmp_path / "models", 1)
    registry.withdraw(["v0007"])
    assert write(registry) == "v0008"


def test_what_is_named_in_a_spoilt_file_stays_withdrawn(registry: Registry) -> None:
    write(registry)
    (registry.folder / "withdrawn").write_bytes(b"\xff\x00v0001\n\x80")
    assert registry.withdrawn() == {"v0001"}
    with pytest.raises(WithdrawnVersionError):
        registry.promote("v0001")


def test_a_card_that_lists_a_name_that_no_file_can_have(registry: Registry) -> None:
    write(registry)
    path = registry.folder / "v0001" / "card.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"files": content["files"] | {"a\0b": "0"}}))
    with pytest.raises(CorruptVersionError, match="cannot be read"):
        registry.verify("v0001")


def test_no_version_is_written_that_could_not_be_found_again(registry: Registry) -> None:
    write(registry)
    (registry.folder / "champion").write_text("v999999999")
    with pytest.raises(RegistryUnwritableError, match="no version number is left"), registry.draft():
        pass
