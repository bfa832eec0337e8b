"""The audit trail: rows opened, finished, repaired; rollbacks, pauses and what ends them."""

from typing import Any

import pytest
from support.ballots import NOON, minutes

from storage import runs
from storage.database import Database
from storage.runs import Status


async def opened(database: Database, trigger: str = "nightly", **columns: Any) -> int:
    return await runs.open_run(database, trigger, started_at=NOON, **{"champion": "v0001", **columns})


async def finished(
    database: Database, trigger: str, status: Status = "done", *, minute: float = 1, **columns: Any
) -> int:
    run_id = await opened(database, trigger, **columns)
    assert await runs.finish_run(database, run_id, status, finished_at=minutes(minute))
    return run_id


async def test_keeping_the_champion_is_one_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted between its two statements, it leaves neither."""
    run_id = await opened(database, challenger="v0002")
    await runs.finish_run(database, run_id, "waiting", finished_at=NOON)
    known = {"champion": "v0001", "now": minutes(1), "report": {"by": "discord:7", "version": "v0002"}}

    async def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "record_decision", crash)
        with pytest.raises(KeyboardInterrupt):
            await runs.keep_champion(database, run_id, **known)
    assert [run.id for run in await runs.undecided(database)] == [run_id]
    kept = await runs.keep_champion(database, run_id, **known)
    assert kept is not None
    assert kept == await runs.latest(database, "keep")
    assert (kept.status, kept.finished_at, kept.challenger) == ("done", minutes(1), None)
    assert await runs.undecided(database) == []
    assert await runs.keep_champion(database, run_id, **known) is None
    assert await runs.repair(database, champion="v0001", now=minutes(2)) == []


async def test_an_open_run_and_what_it_began_with(database: Database) -> None:
    run_id = await opened(database, "retrain")
    run = await runs.get_run(database, run_id)
    assert run == runs.Run(
        id=run_id,
        trigger="retrain",
        status="open",
        started_at=NOON,
        finished_at=None,
        as_of=NOON,
        retraining_set_hash=None,
        champion="v0001",
        challenger=None,
        verdict=None,
        report=None,
    )


async def test_an_unknown_run(database: Database) -> None:
    assert await runs.get_run(database, 7) is None
    assert not await runs.note(database, 7, challenger="v0002")
    assert not await runs.finish_run(database, 7, "failed", finished_at=NOON)


async def test_notes_and_the_end_are_kept(database: Database) -> None:
    run_id = await opened(database)
    assert await runs.note(database, run_id, challenger="v0002", retraining_set_hash="abc")
    verdict, report = {"is_promotable": True, "reasons": []}, {"votes": 3, "text": "„été“ 🙂"}
    assert await runs.finish_run(
        database, run_id, "promoted", finished_at=minutes(9), verdict=verdict, report=report
    )
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert (run.status, run.finished_at, run.challenger) == ("promoted", minutes(9), "v0002")
    assert (run.retraining_set_hash, run.verdict, run.report) == ("abc", verdict, report)


async def test_a_verdict_that_was_noted_stays_when_the_end_brings_none(database: Database) -> None:
    run_id = await opened(database)
    await runs.note(database, run_id, verdict={"is_promotable": False})
    await runs.finish_run(database, run_id, "rejected", finished_at=NOON)
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert run.verdict == {"is_promotable": False}


async def test_a_run_ends_once(database: Database) -> None:
    run_id = await finished(database, "nightly", "failed")
    assert not await runs.finish_run(database, run_id, "promoted", finished_at=minutes(5))
    assert not await runs.note(database, run_id, challenger="v0009")
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert (run.status, run.challenger) == ("failed", None)


async def test_the_latest_run_by_trigger_and_status(database: Database) -> None:
    assert await runs.latest(database) is None
    nightly = await finished(database, "nightly", "promoted")
    failed = await finished(database, "nightly", "failed")
    resume = await finished(database, "resume")
    found = [
        await runs.latest(database),
        await runs.latest(database, "nightly"),
        await runs.latest(database, "nightly", statuses=("promoted",)),
        await runs.latest(database, "nightly", "resume"),
        await runs.latest(database, "domain"),
    ]
    assert [run and run.id for run in found] == [resume, failed, nightly, resume, None]


async def test_an_open_training_run_is_ended_and_pointer_moves_are_not(database: Database) -> None:
    training = [await opened(database, trigger) for trigger in ("nightly", "retrain", "domain", "cli")]
    moves = [await opened(database, trigger) for trigger in ("rollback", "promote")]
    over = await finished(database, "nightly", "rejected")
    assert await runs.end_open_training(database, "a rollback came in between", now=minutes(2)) == 4
    for run_id in training:
        run = await runs.get_run(database, run_id)
        assert run is not None
        assert (run.status, run.finished_at) == ("failed", minutes(2))
        assert run.reason == "a rollback came in between"
    for run_id in moves:
        run = await runs.get_run(database, run_id)
        assert run is not None
        assert run.status == "open"
    run = await runs.get_run(database, over)
    assert run is not None
    assert run.status == "rejected"


async def test_hashes_of_what_was_rolled_back(database: Database) -> None:
    await finished(database, "rollback", retraining_set_hash="aaa")
    await finished(database, "rollback", retraining_set_hash="aaa")
    await finished(database, "rollback", "failed", retraining_set_hash="bbb")  # never happened
    await finished(database, "rollback")  # from a version that no votes made
    await finished(database, "nightly", "promoted", retraining_set_hash="ccc")
    await opened(database, "rollback", retraining_set_hash="ddd")
    assert await runs.rolled_back_hashes(database) == {"aaa"}


async def test_no_pause_without_a_rollback(database: Database) -> None:
    await finished(database, "nightly", "promoted")
    await finished(database, "rollback", "failed")
    assert await runs.paused_since(database) is None


@pytest.mark.parametrize(
    ("trigger", "status", "ends"),
    [
        ("resume", "done", True),
        ("promote", "done", True),
        ("retrain", "promoted", True),
        ("nightly", "promoted", True),
        ("resume", "failed", False),
        ("promote", "failed", False),
        ("nightly", "rejected", False),
        ("nightly", "skipped", False),
        ("nightly", "failed", False),
        ("domain", "promoted", False),
    ],
)
async def test_what_ends_a_pause(database: Database, trigger: str, status: Status, ends: bool) -> None:
    await finished(database, trigger, status)  # before the rollback it ends nothing
    await finished(database, "rollback", minute=30)
    assert await runs.paused_since(database) == minutes(30)
    await finished(database, trigger, status, minute=40)
    assert (await runs.paused_since(database) is None) == ends


async def test_a_later_rollback_pauses_again(database: Database) -> None:
    await finished(database, "rollback", minute=1)
    await finished(database, "resume", minute=2)
    await finished(database, "rollback", minute=3)
    assert await runs.paused_since(database) == minutes(3)


@pytest.mark.parametrize(
    ("trigger", "challenger", "champion", "status"),
    [
        ("nightly", None, "v0001", "failed"),  # killed while it trained
        ("nightly", "v0002", "v0001", "failed"),  # killed before the pointer moved
        ("nightly", "v0002", "v0002", "promoted"),  # killed after
        ("rollback", "v0001", "v0001", "done"),
        ("rollback", "v0001", "v0002", "failed"),
        ("promote", "v0003", "v0003", "done"),
        ("nightly", None, None, "failed"),  # nothing serves, nothing was made: not the same thing
    ],
)
async def test_repair_settles_what_a_crash_left_open(
    database: Database, trigger: str, challenger: str | None, champion: str | None, status: Status
) -> None:
    run_id = await opened(database, trigger, challenger=challenger)
    found = await runs.repair(database, champion=champion, now=minutes(7))
    assert [(run.id, run.status) for run in found] == [(run_id, "open")]
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert (run.status, run.finished_at) == (status, minutes(7))
    if status == "failed":
        assert run.verdict is not None
        assert "interrupted" in run.reason


@pytest.mark.parametrize(("domain", "status"), [("v0002", "promoted"), ("v0001", "failed")])
async def test_repair_settles_a_domain_run_by_the_domain_pointer(
    database: Database, domain: str, status: Status
) -> None:
    run_id = await opened(database, "domain", challenger="v0002")
    await runs.repair(database, champion="v0003", domain=domain, now=NOON)
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert run.status == status


async def test_repair_keeps_the_verdict_of_a_run_that_had_promoted(database: Database) -> None:
    run_id = await opened(database, challenger="v0002")
    await runs.note(database, run_id, verdict={"is_promotable": True})
    await runs.repair(database, champion="v0002", now=NOON)
    run = await runs.get_run(database, run_id)
    assert run is not None
    assert run.verdict == {"is_promotable": True}


async def test_repair_leaves_finished_runs_alone_and_is_idempotent(database: Database) -> None:
    over, stale = await finished(database, "nightly", "skipped"), await opened(database)
    assert [run.id for run in await runs.repair(database, champion="v0001", now=minutes(2))] == [stale]
    assert await runs.repair(database, champion="v0001", now=minutes(3)) == []
    run = await runs.get_run(database, over)
    assert run is not None
    assert (run.status, run.finished_at) == ("skipped", minutes(1))


async def test_a_rollback_that_repair_finished_counts_as_one(database: Database) -> None:
    await opened(database, "rollback", challenger="v0001", retraining_set_hash="aaa")
    await runs.repair(database, champion="v0001", now=minutes(8))
    assert await runs.rolled_back_hashes(database) == {"aaa"}
    assert await runs.paused_since(database) == minutes(8)


async def test_durations_are_those_of_judged_runs(database: Database) -> None:
    assert await runs.durations_s(database, "retrain") == []
    for minute, status in ((1, "promoted"), (2, "rejected"), (3, "failed"), (4, "skipped")):
        await finished(database, "retrain", status, minute=minute)
    await finished(database, "domain", "promoted", minute=30)
    assert await runs.durations_s(database, "retrain", "nightly") == [120.0, 60.0]
    assert await runs.durations_s(database, "retrain", limit=1) == [120.0]
