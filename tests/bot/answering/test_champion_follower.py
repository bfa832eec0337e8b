import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.wire import eventually, settings_for

from bot.answering import champion_follower as follower_module
from bot.answering.champion_follower import BotChampionFollower, load_champion
from bot.answering.early_loading import EarlyModel
from bot.answering.predictor import Predictor
from bot.errors import StartError
from training.inference.loading import load
from training.registry.versions import Registry


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(home / "models")


@pytest.fixture
async def follower(registry: Registry) -> AsyncIterator[BotChampionFollower]:
    predictor = Predictor(load(registry, "v0001"))
    yield BotChampionFollower(registry, predictor)
    await predictor.close()


def damage(registry: Registry, *versions: str, file: str = "model.onnx") -> None:
    for version in versions:
        (registry.folder / version / file).write_bytes(b"rubbish")


async def test_a_champion_that_is_loaded_early_is_not_loaded_again(registry: Registry, home: Path) -> None:
    early = EarlyModel(settings_for(home))
    loaded = early._thread
    loaded.join()
    expected = early._model
    model, trouble = await load_champion(registry, early)
    assert (model, trouble) == (expected, None)
    assert early.take() is None  # it is not kept alive after a reload


async def test_a_champion_that_changed_meanwhile_is_loaded(registry: Registry, home: Path) -> None:
    early = EarlyModel(settings_for(home))
    early._thread.join()
    registry.promote("v0002")
    model, trouble = await load_champion(registry, early)
    assert (model.version, trouble) == ("v0002", None)


async def test_a_champion_that_cannot_be_loaded_early_is_reported_as_usual(
    registry: Registry, home: Path
) -> None:
    registry.promote("v0002")
    damage(registry, "v0002")
    early = EarlyModel(settings_for(home))
    model, trouble = await load_champion(registry, early)
    assert model.version == "v0001"
    assert trouble is not None


def test_versions_that_machines_share_are_not_loaded_early(home: Path) -> None:
    settings = settings_for(home).model_copy(update={"models_url": "s3://somewhere"})
    assert EarlyModel(settings).take() is None


async def test_the_champion_is_followed(follower: BotChampionFollower, registry: Registry) -> None:
    assert not await follower.follow_champion()
    registry.promote("v0002")
    assert await follower.follow_champion()
    assert follower.predictor.version == "v0002"


async def test_the_watch_follows_a_pointer_moved_by_hand(
    follower: BotChampionFollower, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "WATCH_EVERY_S", 0.01)
    watching = asyncio.create_task(follower.watch())
    registry.promote("v0002")

    async def serves() -> bool:
        return follower.predictor.version == "v0002"

    await eventually(serves)
    watching.cancel()


async def test_a_damaged_champion_is_refused_once_and_said(
    follower: BotChampionFollower, registry: Registry
) -> None:
    damage(registry, "v0002")
    registry.promote("v0002")
    with capture_logs() as logs:
        for _ in range(3):
            assert not await follower.follow_champion()
    assert [line["event"] for line in logs] == ["model.not_reloaded"]
    assert follower.predictor.version == "v0001"
    assert follower.trouble is not None
    assert follower.trouble.startswith("Model version v0002 is damaged")
    assert follower.trouble.endswith("Until that is fixed, v0001 answers.")


async def test_trouble_ends_when_the_pointer_moves_back(
    follower: BotChampionFollower, registry: Registry
) -> None:
    damage(registry, "v0002")
    registry.promote("v0002")
    await follower.follow_champion()
    registry.promote("v0001")
    await follower.follow_champion()
    assert follower.trouble is None


async def test_a_restored_champion_is_tried_again_when_asked(
    follower: BotChampionFollower, registry: Registry, models_folder: Path
) -> None:
    damage(registry, "v0002")
    registry.promote("v0002")
    await follower.follow_champion()
    shutil.copy(models_folder / "v0002" / "model.onnx", registry.folder / "v0002" / "model.onnx")
    assert not await follower.follow_champion()
    assert await follower.follow_champion(again=True)
    assert follower.trouble is None


@pytest.mark.parametrize("content", ["", "rubbish", "v9", "v0099"])
async def test_a_pointer_to_nowhere_changes_nothing(
    follower: BotChampionFollower, registry: Registry, content: str
) -> None:
    (registry.folder / "champion").write_text(content)
    assert not await follower.follow_champion()
    assert follower.predictor.version == "v0001"


async def test_the_champion_is_loaded_at_the_start(registry: Registry) -> None:
    registry.promote("v0002")
    model, trouble = await load_champion(registry)
    assert (model.version, trouble) == ("v0002", None)


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "vocabulary.json", "card.json"])
async def test_a_damaged_champion_is_stood_in_for_by_the_one_before(registry: Registry, file: str) -> None:
    """And never by v0003, which the gate refused, though it is newer."""
    registry.promote("v0002")
    damage(registry, "v0002", file=file)
    model, trouble = await load_champion(registry)
    assert model.version == "v0001"
    assert trouble is not None
    assert trouble.startswith("Model version v0002 is damaged")
    assert trouble.endswith("Until that is fixed, v0001 answers.")


async def test_a_champion_that_is_gone_is_stood_in_for(registry: Registry) -> None:
    registry.promote("v0002")
    shutil.rmtree(registry.folder / "v0002")
    model, trouble = await load_champion(registry)
    assert model.version == "v0001"
    assert trouble is not None
    assert "There is no model version 'v0002'" in trouble


async def test_nothing_that_loads_is_a_start_error(registry: Registry) -> None:
    damage(registry, "v0001", "v0002")
    with pytest.raises(StartError, match=r"No other version can be loaded either\. Restore .*models"):
        await load_champion(registry)
