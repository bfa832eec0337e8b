"""The challenger of a proof is loaded once it can be: damage is refused, other failures are retried later."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.answering.predictor import Predictor
from bot.operations.metrics import Metrics
from bot.proof import follower as follower_module
from bot.proof.follower import ChallengerFollower
from storage import runs
from storage.database import Database
from training.errors import CorruptVersionError
from training.inference.fill_model import FillModel
from training.inference.loading import load
from training.registry.versions import Registry


@pytest.fixture
async def predictor(home: Path) -> AsyncIterator[Predictor]:
    predictor = Predictor(load(Registry(home / "models"), "v0001"))
    yield predictor
    await predictor.close()


@pytest.fixture
async def follower(database: Database, home: Path, predictor: Predictor) -> ChallengerFollower:
    """Follows an open proof of v0002 against v0001."""
    now = datetime.now(UTC)
    run_id = await runs.open_run(database, "nightly", started_at=now, champion="v0001", challenger="v0002")
    await runs.finish_run(database, run_id, "proving", finished_at=now)
    return ChallengerFollower(database, Registry(home / "models"), predictor, Metrics())


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> list[str]:
    """Let each version fail to load; returns those that were tried."""
    tried: list[str] = []

    def fail(_registry: Registry, version: str) -> FillModel:
        tried.append(version)
        raise error

    monkeypatch.setattr(follower_module, "load", fail)
    return tried


async def test_a_damaged_challenger_is_tried_once(
    follower: ChallengerFollower,
    database: Database,
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower_module, "RETRY_AFTER_S", 0.0)
    with monkeypatch.context() as patch, capture_logs() as logs:
        tried = failing(patch, CorruptVersionError("v0002", "its files are gone"))
        for _ in range(3):
            await follower.follow()
    assert tried == ["v0002"]
    assert [line["event"] for line in logs] == ["challenger.not_loaded"]
    await follower.follow()
    assert predictor.challenger is None
    run = await runs.open_proof(database)
    assert run is not None
    await runs.decide(database, run.id, "rejected")
    await follower.follow()
    now = datetime.now(UTC)
    run_id = await runs.open_run(database, "nightly", started_at=now, champion="v0001", challenger="v0002")
    await runs.finish_run(database, run_id, "proving", finished_at=now)
    await follower.follow()  # another proof, so it may have been repaired
    assert predictor.challenger is not None


async def test_a_challenger_that_could_not_be_read_is_retried_after_a_pause(
    follower: ChallengerFollower, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, capture_logs() as logs:
        tried = failing(patch, MemoryError())
        for _ in range(3):
            await follower.follow()
        assert tried == ["v0002"]
        patch.setattr(follower, "_retry_at", 0.0)
        await follower.follow()
    assert tried == ["v0002"] * 2
    assert len(logs) == 1
    follower._retry_at = 0.0
    await follower.follow()
    assert predictor.challenger is not None
