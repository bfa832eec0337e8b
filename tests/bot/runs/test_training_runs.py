"""One run at a time, followed and settled; the training process is a few lines of Python here."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.wire import Pretend, eventually, settings_for, tells

from bot.answering.champion_follower import BotChampionFollower
from bot.answering.predictor import Predictor
from bot.errors import RunBusyError
from bot.runs.training_runs import TrainingRuns
from bot.subprocesses import training_process
from storage import runs as run_records
from storage.backends.locks import RUN, acquire_async, holding_async, lock_for, release_async
from storage.database import Database
from training.inference.loading import load
from training.registry.versions import Registry

FOREVER = "import time; time.sleep(60)"


class Parts:
    """What a run touches, with a champion that serves."""

    def __init__(self, home: Path, database: Database, follower: BotChampionFollower) -> None:
        self.home, self.database, self.follower = home, database, follower
        self.registry = Registry(home / "models")
        self.settings = settings_for(home)

    def runs(self, **settings: object) -> TrainingRuns:
        changed = self.settings.model_copy(update=settings)
        return TrainingRuns(changed, self.database, self.registry, self.follower)

    async def open_row(self, trigger: str = "retrain") -> int:
        return await run_records.open_run(
            self.database, trigger, started_at=datetime.now(UTC), champion="v0001"
        )

    async def row(self, run_id: int) -> run_records.Run:
        run = await run_records.get_run(self.database, run_id)
        assert run is not None
        return run


@pytest.fixture
async def parts(home: Path) -> AsyncIterator[Parts]:
    settings = settings_for(home)
    database = await Database.open(settings.url)
    registry = Registry(settings.models_dir)
    predictor = Predictor(load(registry, "v0001"))
    yield Parts(home, database, BotChampionFollower(registry, predictor))
    await predictor.close()
    await database.close()


async def test_a_run_ends_with_its_row_and_sentence(parts: Parts, pretend: Pretend) -> None:
    run_id = await parts.open_row()
    pretend(tells(event="opened", run_id=run_id), tells(event="finished", sentence="Nothing to learn."))
    await run_records.finish_run(parts.database, run_id, "skipped", finished_at=datetime.now(UTC))
    end = await parts.runs().begin("retrain")
    assert end.sentence == "Nothing to learn."
    assert end.run is not None
    assert (end.run.id, end.run.status) == (run_id, "skipped")


async def test_the_trigger_becomes_the_command(parts: Parts, pretend: Pretend) -> None:
    pretend("sys.stderr.write(' '.join(sys.argv[1:4]) + '\\n')")
    runs = parts.runs()
    for trigger in ("nightly", "retrain", "domain"):
        await runs.begin(trigger)
    lines = (parts.home / "training.log").read_text().splitlines()
    assert lines == ["run --trigger nightly", "run --trigger retrain", "domain --progress json"]


async def test_progress_is_handed_on(parts: Parts, pretend: Pretend) -> None:
    pretend(tells(event="progress", step="training", done=3, total=9), tells(event="other"))
    seen: list[training_process.Line] = []
    await parts.runs().begin("retrain", on_progress=seen.append)
    assert [(line["step"], line["done"], line["total"]) for line in seen] == [("training", 3, 9)]


async def test_what_was_promoted_serves_when_the_run_ends(parts: Parts, pretend: Pretend) -> None:
    pretend(f"open({str(parts.home / 'models' / 'champion')!r}, 'w').write('v0002')")
    await parts.runs().begin("nightly")
    assert parts.follower.predictor.version == "v0002"


async def test_a_second_run_is_refused_meanwhile(parts: Parts, pretend: Pretend) -> None:
    pretend(FOREVER)
    runs = parts.runs()
    runs.begin("retrain")
    assert runs.is_running
    with pytest.raises(RunBusyError, match="already in progress"):
        runs.begin("nightly")
    await runs.close()


async def test_a_run_can_follow_a_run(parts: Parts, pretend: Pretend) -> None:
    pretend(tells(event="finished", sentence="done"))
    runs = parts.runs()
    for _ in range(2):
        assert (await runs.begin("retrain")).sentence == "done"


async def test_a_killed_run_is_recorded_as_failed(parts: Parts, pretend: Pretend) -> None:
    run_id = await parts.open_row()
    pretend(tells(event="opened", run_id=run_id), "os.kill(os.getpid(), signal.SIGKILL)")
    end = await parts.runs().begin("retrain")
    assert end.run is not None
    assert end.run.status == "failed"
    assert end.sentence.startswith("The training process ended unexpectedly (code -9); see ")


async def test_the_childs_own_sentence_is_preferred(parts: Parts, pretend: Pretend) -> None:
    pretend(tells(event="failed", sentence="There is no such GPU."), "sys.exit(1)")
    end = await parts.runs().begin("retrain")
    assert (end.run, end.sentence) == (None, "There is no such GPU.")


async def test_a_run_that_takes_too_long_is_ended_and_failed(parts: Parts, pretend: Pretend) -> None:
    run_id = await parts.open_row()
    pretend(tells(event="opened", run_id=run_id), FOREVER)
    end = await parts.runs(run_timeout_s=0.5).begin("retrain")
    assert end.run is not None
    assert end.run.status == "failed"
    assert end.sentence.startswith("The run took longer than 0.5 s and was stopped; see ")


async def test_closing_ends_the_run_and_settles_its_row(parts: Parts, pretend: Pretend) -> None:
    run_id = await parts.open_row()
    pretend(tells(event="opened", run_id=run_id), tells(event="progress", step="a", done=0, total=0), FOREVER)
    runs, begun = parts.runs(), asyncio.Event()
    run = runs.begin("retrain", on_progress=lambda line: begun.set())
    await begun.wait()
    await runs.close()
    await runs.close()
    assert run.result().sentence == "The run was stopped because the bot shut down."
    assert (await parts.row(run_id)).status == "failed"
    with pytest.raises(RunBusyError):
        runs.begin("retrain")


async def test_closing_while_the_process_is_being_spawned_ends_it_too(parts: Parts, pretend: Pretend) -> None:
    pretend(FOREVER)
    runs = parts.runs()
    run = runs.begin("retrain")
    await asyncio.sleep(0)
    await runs.close()
    assert run.done()


async def test_a_process_that_cannot_be_spawned_is_a_failed_run(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_process, "PROGRAM", (str(parts.home / "no-such-program"),))
    end = await parts.runs().begin("retrain")
    assert end.run is None
    assert end.sentence.startswith("The training process could not be started (")


async def test_a_log_that_cannot_be_written_is_a_failed_run(parts: Parts, pretend: Pretend) -> None:
    (parts.home / "training.log").mkdir()
    end = await parts.runs().begin("retrain")
    assert end.run is None
    assert "Is a directory" in end.sentence


async def test_rows_a_crash_left_open_are_settled_once(parts: Parts) -> None:
    run_id = await parts.open_row()
    runs = parts.runs()
    assert [run.id for run in await runs.repair()] == [run_id]
    assert await runs.repair() == []
    assert (await parts.row(run_id)).status == "failed"


async def test_a_run_that_had_promoted_before_the_crash_did_not_fail(parts: Parts) -> None:
    run_id = await parts.open_row()
    await run_records.note(parts.database, run_id, challenger="v0001")
    assert await parts.runs().repair() == []
    assert (await parts.row(run_id)).status == "promoted"


async def test_a_rollback_that_is_under_way_is_not_taken_for_a_crash(parts: Parts) -> None:
    runs = parts.runs()
    async with runs.moving:
        run_id = await parts.open_row("rollback")
        repairing = asyncio.create_task(runs.repair())
        await asyncio.sleep(0.05)  # enough for a repair that did not wait for the lock to fail the run
        await run_records.finish_run(parts.database, run_id, "done", finished_at=datetime.now(UTC))
    await repairing
    assert (await parts.row(run_id)).status == "done"


async def test_a_run_of_another_process_is_left_alone_and_settled_after_its_death(parts: Parts) -> None:
    run_id = await parts.open_row("cli")
    runs = parts.runs()
    async with holding_async(lock_for(parts.settings, RUN)):
        assert await runs.repair() == []
        assert (await parts.row(run_id)).status == "open"
        later = asyncio.create_task(runs.repair_until_settled())

    async def is_settled() -> bool:
        return (await parts.row(run_id)).status == "failed"

    await eventually(is_settled)
    await later


async def test_repairing_lets_go_of_the_lock(parts: Parts) -> None:
    await parts.runs().repair()
    async with holding_async(lock_for(parts.settings, RUN)):
        pass


async def test_halting_ends_the_run_and_lets_none_begin(parts: Parts, pretend: Pretend) -> None:
    run_id = await parts.open_row()
    pretend(tells(event="opened", run_id=run_id), FOREVER)
    runs = parts.runs()
    run = runs.begin("retrain")
    async with runs.halted("for a reason"):
        assert (await run).sentence.startswith("The run was stopped because somebody asked to be forgotten.")
        assert (await parts.row(run_id)).status == "failed"
        with pytest.raises(RunBusyError):
            runs.begin("retrain")
    pretend("pass")
    await runs.begin("retrain")


async def test_halting_waits_for_a_run_by_hand(parts: Parts) -> None:
    run_id = await parts.open_row()
    by_hand = lock_for(parts.settings, RUN)
    await acquire_async(by_hand)
    runs = parts.runs()

    async def halt() -> None:
        async with runs.halted("for a reason"):
            pass

    halting = asyncio.create_task(halt())

    async def is_told() -> bool:  # it sees so before it would promote
        return (await parts.row(run_id)).reason == "for a reason"

    await eventually(is_told)
    assert not halting.done()
    await release_async(by_hand)
    await halting
