import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.wire import eventually

from bot.answering import champion as serving_module
from bot.answering.champion import Serving, load_champion
from bot.answering.predictor import Predictor, load
from bot.errors import StartError
from training.registry.versions import Registry


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(home / "models")


@pytest.fixture
async def serving(registry: Registry) -> AsyncIterator[Serving]:
    predictor = Predictor(await load(registry, "v0001"))
    yield Serving(registry, predictor)
    await predictor.close()


def damage(registry: Registry, *versions: str, file: str = "model.onnx") -> None:
    for version in versions:
        (registry.folder / version / file).write_bytes(b"rubbish")


async def test_the_champion_is_followed(serving: Serving, registry: Registry) -> None:
    assert not await serving.follow_champion()
    registry.promote("v0002")
    assert await serving.follow_champion()
    assert serving.predictor.version == "v0002"


async def test_the_watch_follows_a_pointer_moved_by_hand(
    serving: Serving, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "WATCH_EVERY_S", 0.01)
    watching = asyncio.create_task(serving.watch())
    registry.promote("v0002")

    async def serves() -> bool:
        return serving.predictor.version == "v0002"

    await eventually(serves)
    watching.cancel()


async def test_a_damaged_champion_is_refused_once_and_said(serving: Serving, registry: Registry) -> None:
    damage(registry, "v0002")
    registry.promote("v0002")
    with capture_logs() as logs:
        for _ in range(3):
            assert not await serving.follow_champion()
    assert [line["event"] for line in logs] == ["model.not_reloaded"]
    assert serving.predictor.version == "v0001"
    assert serving.trouble is not None
    assert serving.trouble.startswith("Model version v0002 is damaged")
    assert serving.trouble.endswith("Until then v0001 serves.")


async def test_trouble_ends_when_the_pointer_moves_back(serving: Serving, registry: Registry) -> None:
    damage(registry, "v0002")
    registry.promote("v0002")
    await serving.follow_champion()
    registry.promote("v0001")
    await serving.follow_champion()
    assert serving.trouble is None


async def test_a_restored_champion_is_tried_again_when_asked(
    serving: Serving, registry: Registry, models_folder: Path
) -> None:
    damage(registry, "v0002")
    registry.promote("v0002")
    await serving.follow_champion()
    shutil.copy(models_folder / "v0002" / "model.onnx", registry.folder / "v0002" / "model.onnx")
    assert not await serving.follow_champion()
    assert await serving.follow_champion(again=True)
    assert serving.trouble is None


@pytest.mark.parametrize("content", ["", "rubbish", "v9", "v0099"])
async def test_a_pointer_to_nowhere_changes_nothing(
    serving: Serving, registry: Registry, content: str
) -> None:
    (registry.folder / "champion").write_text(content)
    assert not await serving.follow_champion()
    assert serving.predictor.version == "v0001"


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
    assert trouble.endswith("Until then v0001 serves.")


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
