"""What cannot be read at present is not taken for what is not there: nothing is decided by it."""

import errno
import io
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.ballots import NOON
from support.versions import registry_of, write

from storage import runs
from storage.database import Database
from training.distributed.shared_versions.cached_registry import CachedRegistry
from training.distributed.shared_versions.object_storage import ObjectStorage
from training.errors import CorruptVersionError, RegistryUnreadableError, RegistryUnwritableError
from training.pipeline.run import run_init
from training.progress import NoProgress
from training.registry import promotion
from training.registry.models_folder import writable
from training.registry.repair import repair_champion, repair_domain, serve_first_version
from training.registry.versions import Registry
from training.settings import Settings

AWAY = [errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ETIMEDOUT]
Break = Callable[[str, int], None]


def named(number: int) -> str:
    return errno.errorcode[number]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return registry_of(tmp_path / "models", 6)


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Let the system fail to open or list every path that ends so."""

    def let_fail(end: str, number: int) -> None:
        for module, name in ((io, "open"), (os, "listdir")):
            monkeypatch.setattr(module, name, failing(getattr(module, name), end, number))

    def failing(real: Callable[..., Any], end: str, number: int) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            if str(path).endswith(end):
                raise OSError(number, os.strerror(number), str(path))
            return real(path, *arguments, **options)

        return call

    return let_fail


@pytest.mark.parametrize("number", [*AWAY, errno.EISDIR], ids=named)
@pytest.mark.parametrize("pointer", ["champion", "domain", "withdrawn"])
def test_a_pointer_that_cannot_be_read_is_not_missing(
    registry: Registry, unreadable: Break, pointer: str, number: int
) -> None:
    unreadable(f"models/{pointer}", number)
    with pytest.raises(RegistryUnreadableError, match=f"models/{pointer} cannot be read"):
        getattr(registry, pointer)()


def test_a_folder_in_the_place_of_a_pointer_is_not_a_missing_one(registry: Registry) -> None:
    (registry.folder / "champion").unlink()
    (registry.folder / "champion").mkdir()
    with pytest.raises(RegistryUnreadableError):
        registry.champion()


@pytest.mark.parametrize("number", AWAY, ids=named)
def test_a_folder_that_cannot_be_read_is_not_empty(
    registry: Registry, unreadable: Break, number: int
) -> None:
    unreadable("/models", number)
    with pytest.raises(RegistryUnreadableError):
        registry.versions()


@pytest.mark.parametrize("number", AWAY, ids=named)
@pytest.mark.parametrize("name", ["card.json", "model.onnx"])
def test_a_file_that_cannot_be_read_at_present_is_not_damaged(
    registry: Registry, unreadable: Break, name: str, number: int
) -> None:
    unreadable(f"v0006/{name}", number)
    with pytest.raises(RegistryUnreadableError):
        registry.verify("v0006")


@pytest.mark.parametrize("number", AWAY, ids=named)
@pytest.mark.parametrize("what", ["/champion", "/domain", "v0006/card.json"])
def test_nothing_is_pruned_while_it_is_not_known_what_serves(
    registry: Registry, unreadable: Break, what: str, number: int
) -> None:
    before = registry.versions()
    unreadable(what, number)
    with pytest.raises(RegistryUnreadableError):
        registry.prune(1)
    assert registry.versions() == before


def test_nothing_is_pruned_while_there_is_no_champion(registry: Registry) -> None:
    (registry.folder / "champion").write_text("")
    assert registry.prune(1) == []
    assert len(registry.versions()) == 6


@pytest.mark.parametrize("number", AWAY, ids=named)
@pytest.mark.parametrize("what", ["/champion", "/withdrawn", "v0003/card.json", "v0003/model.onnx"])
def test_no_other_champion_is_chosen_while_the_last_cannot_be_read(
    registry: Registry, unreadable: Break, what: str, number: int
) -> None:
    registry.withdraw(["v0002"])
    if what != "/champion":
        (registry.folder / "champion").unlink()
    unreadable(what, number)
    with pytest.raises(RegistryUnreadableError):
        repair_champion(registry, last="v0003")


@pytest.mark.parametrize("number", AWAY, ids=named)
@pytest.mark.parametrize("what", ["/domain", "v0001/card.json", "v0001/model.onnx"])
def test_no_other_domain_model_is_chosen_while_it_cannot_be_read(
    registry: Registry, unreadable: Break, what: str, number: int
) -> None:
    def never() -> str:
        raise AssertionError("a first version was made")

    unreadable(what, number)
    with pytest.raises(RegistryUnreadableError):
        repair_domain(registry, make_first=never)


def test_no_first_version_is_made_while_the_champion_cannot_be_read(
    registry: Registry, unreadable: Break, tmp_path: Path
) -> None:
    unreadable("/champion", errno.EIO)
    with pytest.raises(RegistryUnreadableError):
        run_init(Settings(home=tmp_path), NoProgress())
    assert len(registry.versions()) == 6


def test_a_first_version_is_not_served_from_while_the_domain_model_cannot_be_read(
    registry: Registry, unreadable: Break
) -> None:
    unreadable("/domain", errno.EIO)
    with pytest.raises(RegistryUnreadableError):
        serve_first_version(registry, "v0002")


def test_no_number_is_given_while_the_pointers_cannot_be_read(registry: Registry, unreadable: Break) -> None:
    unreadable("/champion", errno.EIO)
    with pytest.raises(RegistryUnreadableError), registry.draft():
        raise AssertionError("a version was begun")


async def test_nothing_is_promoted_or_rolled_back_while_the_champion_cannot_be_read(
    registry: Registry, database: Database, unreadable: Break
) -> None:
    unreadable("/champion", errno.EIO)
    for move in (promotion.promote, promotion.roll_back):
        with pytest.raises(RegistryUnreadableError):
            await move(registry, database, "v0002", now=NOON)
    assert await runs.latest(database) is None


def test_a_domain_model_does_not_serve_while_it_is_not_known_what_the_champion_learnt(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, unreadable: Break
) -> None:
    registry.promote(write(registry, kind="night"))
    with monkeypatch.context():
        unreadable("v0007/card.json", errno.EIO)
        with pytest.raises(RegistryUnreadableError):
            promotion.adopt_domain_model(registry, "v0002")
    assert registry.champion() == "v0007"


async def test_an_open_row_is_settled_only_when_the_pointers_can_be_read(
    registry: Registry, database: Database, unreadable: Break
) -> None:
    await runs.open_run(database, "nightly", started_at=NOON, champion="v0006")
    unreadable("/champion", errno.ESTALE)
    with pytest.raises(RegistryUnreadableError):
        await promotion.repair(registry, database, now=NOON + timedelta(hours=1))
    assert await runs.latest(database, statuses=("open",)) is not None


def test_what_is_known_of_shared_versions_is_not_forgotten_when_it_cannot_be_read(
    tmp_path: Path, unreadable: Break
) -> None:
    (tmp_path / ".shared.json").write_text("{}")
    unreadable(".shared.json", errno.EIO)
    with pytest.raises(RegistryUnreadableError):
        CachedRegistry(tmp_path, ObjectStorage(str(tmp_path)))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS], ids=named)
def test_a_folder_that_cannot_be_written_is_said_so(registry: Registry, number: int) -> None:
    with pytest.raises(RegistryUnwritableError, match=os.strerror(number)), registry.draft() as draft:
        raise OSError(number, os.strerror(number), str(draft.folder / "model.onnx"))
    with pytest.raises(RegistryUnwritableError), registry.draft():
        raise OSError(errno.ENOSPC, "No space left on device")  # of a write: without a name


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/corpus.csv"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        TimeoutError(errno.ETIMEDOUT, "Connection timed out"),
    ],
    ids=["EMFILE", "another file", "connection", "timeout"],
)
def test_the_folder_is_not_blamed_for_what_happens_elsewhere(registry: Registry, error: OSError) -> None:
    with pytest.raises(type(error)) as caught, registry.draft():
        raise error
    assert caught.value is error
    assert len(registry.versions()) == 6


def test_too_many_open_files_is_no_fault_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Too many open files"), writable(tmp_path):
        raise OSError(errno.EMFILE, "Too many open files", str(tmp_path / "model.onnx"))


def test_a_file_that_is_missing_is_damage(registry: Registry) -> None:
    (registry.folder / "v0006" / "card.json").unlink()
    with pytest.raises(CorruptVersionError):
        registry.card("v0006")
