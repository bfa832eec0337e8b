"""When a run would only repeat the run before it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.ballots import NOON
from support.versions import write as write_small

from storage import runs
from storage.runs import Status
from training.pipeline.repetition import inputs_of, repeated_run
from training.registry.versions import Registry
from training.synchronous_database import SynchronousDatabase
from training.votes.aggregation import Judgement
from training.votes.retraining_set import build

JUDGEMENT = Judgement("Nike shoes are [MASK].", "a" * 32, 0, "cheap", up=0.0, down=4.0, voters=4)


def inputs(*judgements: Judgement, folder: Path = Path("nowhere"), **changed: Any) -> dict[str, Any]:
    given = {"domain_files": {"model.onnx": "a1"}, "settings": {"epochs": 12}, **changed}
    judged = judgements or (JUDGEMENT,)
    return inputs_of(build(judged, held_out_share=0.0), judged, behaviour=folder / "behaviour.yaml", **given)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """v0001 serves; v0002 was made by the last run."""
    found = Registry(tmp_path / "home" / "models")
    write_small(found)
    found.promote("v0001")
    write_small(found, kind="night")
    return found


@pytest.fixture
def database(database_url: str) -> Iterator[SynchronousDatabase]:
    with SynchronousDatabase.open(database_url) as opened:
        yield opened


def ran(
    database: SynchronousDatabase, status: Status = "rejected", trigger: str = "nightly", **columns: Any
) -> int:
    """Record a run that was judged."""
    row = {"champion": "v0001", "challenger": "v0002", "retraining_set_hash": "b2", **columns}
    run_id: int = database.call(runs.open_run, trigger, started_at=NOON, **row)
    database.call(runs.finish_run, run_id, status, finished_at=NOON, report=inputs())
    return run_id


def test_the_first_run_repeats_none(database: SynchronousDatabase, registry: Registry) -> None:
    assert repeated_run(database, registry, inputs()) is None


@pytest.mark.parametrize("status", ["promoted", "rejected"])
def test_the_same_inputs_repeat_the_last_run(
    database: SynchronousDatabase, registry: Registry, status: Status
) -> None:
    run_id = ran(database, status)
    if status == "promoted":
        registry.promote("v0002")
    for unjudged in ("failed", "skipped"):
        ran(database, unjudged, challenger=None)
    assert repeated_run(database, registry, inputs()) == run_id


@pytest.mark.parametrize(
    "changed",
    [
        {"domain_files": {"model.onnx": "c3"}},
        {"settings": {"epochs": 6}},
    ],
)
def test_another_domain_model_or_other_settings_are_judged(
    database: SynchronousDatabase, registry: Registry, changed: dict[str, Any]
) -> None:
    ran(database)
    assert repeated_run(database, registry, inputs(**changed)) is None


def test_other_behaviour_tests_are_judged(
    database: SynchronousDatabase, registry: Registry, tmp_path: Path
) -> None:
    ran(database)
    (tmp_path / "behaviour.yaml").write_text("[]")
    assert repeated_run(database, registry, inputs(folder=tmp_path)) is None


@pytest.mark.parametrize(
    ("judgements", "is_repeated"),
    [
        ((replace(JUDGEMENT, up=4.0, down=0.0),), False),  # people changed their minds
        ((JUDGEMENT, replace(JUDGEMENT, word="soft")), False),
        ((replace(JUDGEMENT, down=4.8),), True),  # one vote more for what is known
        ((replace(JUDGEMENT, down=3.1),), True),  # votes age
        ((replace(JUDGEMENT, down=5.0),), False),
    ],
)
def test_votes_count_once_they_judge_anew_or_weigh_a_quarter_more(
    database: SynchronousDatabase, registry: Registry, judgements: tuple[Judgement, ...], is_repeated: bool
) -> None:
    run_id = ran(database)
    assert repeated_run(database, registry, inputs(*judgements)) == (run_id if is_repeated else None)


def test_another_champion_is_judged_against(database: SynchronousDatabase, registry: Registry) -> None:
    ran(database)
    registry.promote("v0002")
    assert repeated_run(database, registry, inputs()) is None


@pytest.mark.parametrize("trigger", runs.POINTER_MOVES)
def test_a_move_of_the_pointer_is_news(
    database: SynchronousDatabase, registry: Registry, trigger: str
) -> None:
    ran(database)
    ran(database, "done", trigger)
    assert repeated_run(database, registry, inputs()) is None


def test_a_withdrawn_champion_needs_a_run(database: SynchronousDatabase, registry: Registry) -> None:
    ran(database)
    registry.withdraw(["v0001"])
    assert repeated_run(database, registry, inputs()) is None


def test_a_damaged_champion_needs_a_run(database: SynchronousDatabase, registry: Registry) -> None:
    ran(database)
    (registry.path("v0001") / "model.onnx").write_text("garbage")
    assert repeated_run(database, registry, inputs()) is None
