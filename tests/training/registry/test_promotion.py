"""Moving the champion by hand, with its record."""

from pathlib import Path

import pytest
from support.ballots import NOON, minutes
from support.versions import registry_of, write

from storage import runs
from storage.database import Database
from storage.runs import Run
from training.errors import (
    CorruptVersionError,
    NoChampionError,
    NoEarlierVersionError,
    RegistryUnwritableError,
    UnknownVersionError,
    WithdrawnVersionError,
)
from training.registry import promotion
from training.registry.versions import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return registry_of(tmp_path / "models", 3)


async def latest(database: Database) -> Run:
    run = await runs.latest(database)
    assert run is not None
    return run


async def test_a_rollback_serves_the_version_before_and_is_recorded(
    registry: Registry, database: Database
) -> None:
    assert await promotion.roll_back(registry, database, now=NOON) == "v0002"
    assert registry.champion() == "v0002"
    run = await latest(database)
    assert (run.trigger, run.status, run.champion, run.challenger) == ("rollback", "done", "v0003", "v0002")
    assert (run.started_at, run.finished_at) == (NOON, NOON)


async def test_a_rollback_forbids_what_the_version_left_behind_learnt_and_pauses(
    registry: Registry, database: Database
) -> None:
    await promotion.roll_back(registry, database, now=NOON)
    assert await runs.rolled_back_hashes(database) == {registry.card("v0003").retraining_set_hash}
    assert await runs.paused_since(database) == NOON


async def test_a_rollback_to_a_named_version(registry: Registry, database: Database) -> None:
    assert await promotion.roll_back(registry, database, "v0001", now=NOON) == "v0001"
    with pytest.raises(NoEarlierVersionError):
        await promotion.roll_back(registry, database, now=NOON)
    assert await promotion.roll_back(registry, database, "v0003", now=NOON) == "v0003"  # forward again


async def test_a_rollback_to_the_champion_changes_and_forbids_nothing(
    registry: Registry, database: Database
) -> None:
    assert await promotion.roll_back(registry, database, "v0003", now=NOON) == "v0003"
    assert await runs.latest(database) is None
    (registry.path("v0003") / "model.onnx").write_bytes(b"flipped")
    with pytest.raises(CorruptVersionError):
        await promotion.roll_back(registry, database, "v0003", now=NOON)


async def test_a_promotion_by_hand_ends_the_pause(registry: Registry, database: Database) -> None:
    await promotion.roll_back(registry, database, now=NOON)
    assert await promotion.promote(registry, database, "v0003", now=minutes(1)) == "v0003"
    assert registry.champion() == "v0003"
    assert await runs.paused_since(database) is None
    run = await latest(database)
    assert (run.trigger, run.status, run.champion, run.challenger) == ("promote", "done", "v0002", "v0003")
    assert run.retraining_set_hash is None


async def test_a_promotion_by_hand_says_who_did_it_and_what_it_overrides(
    registry: Registry, database: Database
) -> None:
    reasons = [
        {"name": "learnt", "passed": True, "text": "0 of 4 rejected words are left"},
        {"name": "praise", "passed": False, "text": "wanted share 0.6 (domain 0.8)"},
    ]
    refused = write(registry, kind="night", verdict={"is_promotable": False, "reasons": reasons})
    await promotion.promote(registry, database, refused, now=NOON, by="ada")
    run = await latest(database)
    assert run.report == {"by": "ada", "overrides": ["wanted share 0.6 (domain 0.8)"]}
    await promotion.promote(registry, database, "v0001", now=minutes(1))
    assert (await latest(database)).report == {"by": None, "overrides": []}


async def test_a_resume_ends_the_pause_once(registry: Registry, database: Database) -> None:
    assert not await promotion.resume(registry, database, now=NOON)
    await promotion.roll_back(registry, database, now=NOON)
    assert await promotion.resume(registry, database, now=minutes(1))
    assert await runs.paused_since(database) is None
    assert not await promotion.resume(registry, database, now=minutes(2))
    run = await latest(database)
    assert (run.trigger, run.status, run.finished_at) == ("resume", "done", minutes(1))


async def test_what_cannot_be_moved_to_changes_nothing(registry: Registry, database: Database) -> None:
    (registry.path("v0001") / "model.onnx").write_bytes(b"flipped")
    for version, error in (
        ("v0009", UnknownVersionError),
        ("../v0001", UnknownVersionError),
        ("v0001", CorruptVersionError),
    ):
        for move in (promotion.promote, promotion.roll_back):
            with pytest.raises(error):
                await move(registry, database, version, now=NOON)
    assert registry.champion() == "v0003"
    assert await runs.latest(database) is None
    assert await runs.paused_since(database) is None


async def test_a_damaged_champion_can_be_left(registry: Registry, database: Database) -> None:
    (registry.path("v0003") / "card.json").write_text("garbage")
    with pytest.raises(NoEarlierVersionError):  # the card would say where to
        await promotion.roll_back(registry, database, now=NOON)
    assert await promotion.roll_back(registry, database, "v0002", now=NOON) == "v0002"
    assert await runs.rolled_back_hashes(database) == set()


async def test_a_champion_that_is_gone_can_be_left(registry: Registry, database: Database) -> None:
    (registry.folder / "v0003").rename(registry.folder / "elsewhere")
    assert await promotion.promote(registry, database, "v0002", now=NOON) == "v0002"


async def test_without_a_champion_there_is_nothing_to_move(tmp_path: Path, database: Database) -> None:
    registry = Registry(tmp_path / "empty")
    with pytest.raises(NoChampionError):
        await promotion.roll_back(registry, database, now=NOON)
    with pytest.raises(NoChampionError):
        await promotion.promote(registry, database, "v0001", now=NOON)


async def test_a_run_under_way_is_ended_before_the_pointer_moves(
    registry: Registry, database: Database
) -> None:
    run_id = await runs.open_run(database, "nightly", started_at=NOON, champion="v0003")
    await promotion.roll_back(registry, database, now=minutes(1))
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert run.status == "failed"
    assert run.reason == "a rollback came in between"


async def test_a_pointer_that_cannot_be_written_is_a_failed_move(
    registry: Registry, database: Database
) -> None:
    (registry.folder / "champion").unlink()
    (registry.folder / "champion").mkdir()  # cannot be replaced by a file
    registry.champion = lambda: "v0003"  # type: ignore[method-assign]
    with pytest.raises(RegistryUnwritableError):
        await promotion.roll_back(registry, database, now=NOON)
    run = await latest(database)
    assert run.status == "failed"
    assert run.verdict is not None
    assert "cannot be written" in run.verdict["reasons"][0]
    assert await runs.paused_since(database) is None
    assert await runs.rolled_back_hashes(database) == set()


async def test_a_withdrawn_version_is_neither_promoted_nor_rolled_back_to(
    registry: Registry, database: Database
) -> None:
    registry.withdraw(["v0002", "v0003"])
    open_run = await runs.open_run(database, "nightly", started_at=NOON, champion="v0003")
    for move in (promotion.promote, promotion.roll_back):
        for version in ("v0002", "v0003"):
            with pytest.raises(WithdrawnVersionError, match=f"{version} is withdrawn: .* Choose another"):
                await move(registry, database, version, now=NOON)
    assert (await latest(database)).status == "open"  # nothing was ended for its sake
    assert (await latest(database)).id == open_run
    assert await promotion.roll_back(registry, database, now=NOON) == "v0001"  # past the withdrawn one


async def test_the_domain_model_stands_in_for_a_withdrawn_champion(
    registry: Registry, database: Database
) -> None:
    assert await promotion.replace_withdrawn_champion(registry, database, now=NOON) is None
    registry.withdraw(["v0003"])
    assert await promotion.replace_withdrawn_champion(registry, database, now=NOON) == "v0003"
    assert registry.champion() == "v0001"
    run = await latest(database)
    assert (run.trigger, run.status, run.champion, run.challenger) == ("withdrawal", "done", "v0003", "v0001")
    assert await runs.paused_since(database) is None
    assert await promotion.replace_withdrawn_champion(registry, database, now=NOON) is None


async def test_a_crash_while_the_domain_model_takes_over_is_settled(
    registry: Registry, database: Database
) -> None:
    await runs.open_run(database, "withdrawal", started_at=NOON, champion="v0003", challenger="v0001")
    registry.promote("v0001")
    await runs.repair(database, champion="v0001", now=NOON)
    assert (await latest(database)).status == "done"


@pytest.mark.parametrize("kind", ["base", "night"])
async def test_a_domain_run_that_was_killed_between_its_two_pointers_is_finished(
    registry: Registry, database: Database, kind: str
) -> None:
    registry.promote(write(registry, kind=kind) if kind == "night" else "v0003")
    serving = registry.champion()
    made = write(registry, kind="domain")
    run_id = await runs.open_run(database, "domain", started_at=NOON, champion=serving, challenger=made)
    registry.set_domain(made)
    await promotion.repair(registry, database, now=minutes(1))
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert (run.status, registry.domain()) == ("promoted", made)
    assert registry.champion() == (serving if kind == "night" else made)


async def test_a_domain_run_that_was_killed_before_its_pointers_has_failed(
    registry: Registry, database: Database
) -> None:
    made = write(registry, kind="domain")
    run_id = await runs.open_run(database, "domain", started_at=NOON, champion="v0003", challenger=made)
    await promotion.repair(registry, database, now=minutes(1))
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert (run.status, registry.domain(), registry.champion()) == ("failed", "v0001", "v0003")
