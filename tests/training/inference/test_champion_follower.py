"""Bot and replicas follow the champion by the same rules: damage is refused, what is away is tried again."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.versions import write

from bot.answering.champion_follower import BotChampionFollower
from bot.answering.predictor import Predictor
from training.distributed.serving import replica as replica_module
from training.distributed.serving.replica import Replica
from training.errors import CorruptVersionError, RegistryError, RegistryUnreadableError
from training.inference import champion_follower
from training.inference.champion_follower import load_servable_model, serving_order
from training.inference.fill_model import FillModel
from training.inference.loading import load
from training.registry.errors import SharedStorageUnreachableError
from training.registry.versions import Registry

Follow = Callable[[], "asyncio.Future[bool]"]
PASSING = [
    RegistryUnreadableError(Path("models"), "Stale file handle"),
    SharedStorageUnreachableError("s3://models", "timed out"),
    OSError(errno.EIO, "Input/output error"),
    TimeoutError("timed out"),
    MemoryError(),
]


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(home / "models")


@pytest.fixture(params=["bot", "replica"])
async def follower(
    registry: Registry, request: pytest.FixtureRequest
) -> AsyncIterator[BotChampionFollower | Replica]:
    """Either of those that follow, serving v0001."""
    model = load(registry, "v0001")
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "bot":
            predictor = Predictor(model)
            stack.push_async_callback(predictor.close)
            yield BotChampionFollower(registry, predictor)
        else:
            replica = Replica(registry, model)
            stack.push_async_callback(replica.close)
            yield replica


def version_of(follower: BotChampionFollower | Replica) -> str:
    return follower.predictor.version if isinstance(follower, BotChampionFollower) else follower.version


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_arguments: object, **_options: object) -> FillModel:
        raise error

    monkeypatch.setattr(champion_follower, "load", fail)


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
async def test_a_version_that_could_not_be_read_for_a_moment_serves_once_it_can(
    follower: BotChampionFollower | Replica, registry: Registry, error: BaseException
) -> None:
    registry.promote("v0002")
    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        failing(patch, error)
        for _ in range(3):
            assert not await follower.follow_champion()
    assert version_of(follower) == "v0001"
    assert len(logs) <= 1
    assert await follower.follow_champion()
    assert version_of(follower) == "v0002"


async def test_a_damaged_version_is_tried_once(
    follower: BotChampionFollower | Replica, registry: Registry
) -> None:
    registry.promote("v0002")
    tried: list[str] = []

    def damaged(_registry: Registry, version: str, **_options: object) -> FillModel:
        tried.append(version)
        raise CorruptVersionError(version, "its files are gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(champion_follower, "load", damaged)
        for _ in range(3):
            assert not await follower.follow_champion()
    assert tried == ["v0002"]
    assert not await follower.follow_champion()
    registry.promote("v0001")
    await follower.follow_champion()
    registry.promote("v0002")
    assert await follower.follow_champion()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
async def test_what_serves_goes_on_while_the_pointer_cannot_be_read(
    follower: BotChampionFollower | Replica, registry: Registry, number: int
) -> None:
    real = Path.read_text

    def away(path: Path, *arguments: str | None, **options: str | None) -> str:
        if path.name == "champion":
            raise OSError(number, os.strerror(number), str(path))
        return real(path, *arguments, **options)

    registry.promote("v0002")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", away)
        assert not await follower.follow_champion()
        assert version_of(follower) == "v0001"
    assert await follower.follow_champion()


async def test_a_replica_goes_on_following_after_an_error_that_nobody_expected(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_module, "FOLLOW_EVERY_S", 0.01)
    is_failed = asyncio.Event()
    loop, real = asyncio.get_running_loop(), Registry.champion

    def once(registry: Registry) -> str | None:
        if not is_failed.is_set():
            loop.call_soon_threadsafe(is_failed.set)
            raise KeyError("champion")
        return real(registry)

    monkeypatch.setattr(Registry, "champion", once)
    replica = Replica(registry, load(registry, "v0001"))
    async with asyncio.timeout(10):
        await is_failed.wait()
        registry.promote("v0002")
        while replica.version != "v0002":  # noqa: ASYNC110  no event says it
            await asyncio.sleep(0.01)
    await replica.check()
    await replica.close()


def test_the_first_version_is_not_guessed_while_the_pointer_cannot_be_read(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_registry: Registry) -> str:
        raise RegistryUnreadableError(registry.folder / "champion", "Stale file handle")

    monkeypatch.setattr(Registry, "champion", away)
    with pytest.raises(RegistryError, match="Stale file handle"):
        load_servable_model(registry)


@pytest.mark.parametrize("name", ["vocabulary.json", "tokenizer.json", "model.onnx"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_a_model_whose_file_cannot_be_read_at_present_is_not_damaged(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    real = Path.open

    def away(path: Path, *arguments: object, **options: object) -> object:
        if path.name == name:
            raise OSError(number, os.strerror(number), str(path))
        return real(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", away)
    with pytest.raises(RegistryUnreadableError, match=os.strerror(number)):
        FillModel(registry.path("v0001"))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc")], ids=["Python", "ONNX"])
def test_too_little_memory_is_no_damage(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("training.inference.fill_model.ort.InferenceSession", fail)
    with pytest.raises(MemoryError):
        FillModel(registry.path("v0001"))


def test_no_version_serves_that_waits_for_a_decision_or_was_kept_out(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    write(registry, kind="starter")
    for version in ("v0002", "v0003", "v0004"):
        write(registry, kind="night", champion=f"v{int(version[1:]) - 1:04d}")
        registry.promote(version)
    write(registry, kind="night", champion="v0004")  # it was kept out
    write(registry, kind="night", champion="v0004", verdict={"is_promotable": True})  # it waits
    assert serving_order(registry) == ["v0004", "v0003", "v0002", "v0001"]
