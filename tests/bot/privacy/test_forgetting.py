"""Forgetting in the whole app: no byte is left, no model of them serves, nothing stays half-done."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.databases import of_sqlite
from support.leaving import as_stored, copy_database, learnt, leave_run, traces
from support.people import Json, Person
from support.wire import Pretend, Wire, eventually, tells, wired

from bot.privacy import forgetting
from storage import runs as run_records
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.people import forgetting as forgetting_records
from storage.people import privacy
from training.registry.versions import Registry

SECRET = "The xylophone of my aunt is [MASK]"
TESTS = Path(__file__).parents[2]


async def vote(wire: Wire, person: Person, query: str = SECRET) -> Json:
    reply = await wire.ask(person, query)
    await person.react(reply, "👎")
    await wire.until_votes(reply, (person, -1))
    return reply


async def finished_run(wire: Wire, *queries: str) -> int:
    """A run that read the votes until now; its report names these queries."""
    database, now = wire.app.database, datetime.now(UTC)
    run_id = await run_records.open_run(database, "nightly", started_at=now, champion="v0001")
    await run_records.note(database, run_id, retraining_set_hash="x")
    report = {"changes": [{"query": f"{query}.", "before": ["a"], "after": ["b"]} for query in queries]}
    await run_records.finish_run(database, run_id, "promoted", finished_at=now, report=report)
    return run_id


async def champion_is(registry: Registry, version: str) -> None:
    async def arrived() -> bool:
        return registry.champion() == version

    await eventually(arrived)


async def forget(wire: Wire, person: Person) -> Json:
    """Ask to be forgotten and press the button. Returns the offer."""
    offer = await wire.say(person, "!forgetme")
    (row,) = offer["components"]
    await person.click(offer, row["components"][0]["custom_id"])
    return offer


async def told(person: Person, message: Json, holding: str) -> str:
    """What a message says once it holds this."""
    found = await person.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"] and holding in body["content"]
    )
    return str(found["content"])


def serves(home: Path, version: str) -> str:
    """A line of a training process that promotes a version."""
    return f"open({str(home / 'models' / 'champion')!r}, 'w').write({version!r})"


@of_sqlite
async def test_no_byte_of_them_is_left_in_any_file(home: Path, pretend: Pretend) -> None:
    pretend(serves(home, "v0003"), tells(event="finished", sentence="v0003 is the new champion."))
    with capture_logs() as logs:
        async with wired(home) as wire, wire.member() as ann, wire.member() as bob:
            await vote(wire, ann)
            await vote(wire, bob, "Nike shoes are very [MASK]")
            for number in (1, 2):
                run_id = await finished_run(wire, SECRET, "Nike shoes are very [MASK]")
                leave_run(home, run_id, f"{SECRET}.", f"of run {number}")
            learnt(home)
            copies = copy_database(home)
            needles = (b"xylophone", *as_stored(ann.id))
            assert len(traces(home, *needles)) >= 6
            offer = await forget(wire, ann)
            said = await told(ann, offer, "The run is done")
            assert traces(home, *needles) == []
            assert f"• the same data in {len(copies)} backups" in said
            assert "• the files of 2 runs" in said
            assert "• 1 model version, withdrawn permanently (v0004)" in said
            assert said.endswith("The run is done: v0003 is the new champion.")
            report = (await run_records.get_run(wire.app.database, run_id)).report
            assert report["changes"] == []
            assert len(traces(home, *as_stored(bob.id))) >= 3  # everybody else is where they were
        assert traces(home, *needles) == []
    assert str(ann.id) not in str([line for line in logs if line["log_level"] != "debug"])


async def test_a_backup_that_is_being_made_is_cleaned_too(home: Path) -> None:
    async with wired(home) as wire, wire.member() as ann:
        await vote(wire, ann)
        copies, database = copy_database(home), wire.app.database
        copy, content = copies[0], copies[0].read_bytes()
        for path in copies:
            path.unlink()

        async def is_erased() -> bool:
            return (await privacy.summarize(database, ann.id)).votes == 0

        async with wire.app.nightly_run.backups.making:
            offer = await forget(wire, ann)
            await eventually(is_erased)
            copy.write_bytes(content)
        await told(ann, offer, "You are forgotten")
        assert traces(home, b"xylophone", *as_stored(ann.id)) == []


async def test_the_reply_says_that_a_run_goes_on_and_how_it_ended(home: Path, pretend: Pretend) -> None:
    pretend("assert 'forget' in sys.argv", serves(home, "v0003"), tells(sentence="v0003 serves now."))
    async with wired(home) as wire, wire.member() as ann:
        await vote(wire, ann)
        learnt(home)
        offer = await forget(wire, ann)
        await told(ann, offer, "Training a model without your votes")
        await told(ann, offer, "The run is done: v0003 serves now.")
        assert wire.app.follower.predictor.version == "v0003"
        assert wire.app.registry.withdrawn() == {"v0004"}
        async with wire.person("ada") as ada:
            refused = await wire.say(ada, "!rollback v0004")
            assert refused["content"].startswith("v0004 is withdrawn")
            choices = await ada.complete(wire.channel_id, "rollback", "version", "v")
            assert "v0004" not in [choice["value"] for choice in choices]


async def test_after_a_run_that_fails_the_domain_model_serves(home: Path, pretend: Pretend) -> None:
    pretend(tells(sentence="No such GPU."), "sys.exit(1)")
    async with wired(home) as wire, wire.member() as ann:
        await vote(wire, ann)
        learnt(home)
        offer = await forget(wire, ann)
        said = await told(ann, offer, "The run is done")
        assert said.endswith("No such GPU. v0004 is withdrawn, so the domain model v0001 answers.")
        assert wire.app.follower.predictor.version == wire.app.registry.champion() == "v0001"


async def test_a_run_that_goes_on_is_ended_first(home: Path, pretend: Pretend, tmp_path: Path) -> None:
    started = tmp_path / "started"
    pretend(f"open({str(started)!r}, 'w')", "time.sleep(60)")
    async with wired(home) as wire, wire.member() as ann, wire.person("ada") as ada:
        await vote(wire, ann)
        message = await wire.say(ada, "!retrain")

        async def is_started() -> bool:
            return started.exists()

        await eventually(is_started)
        offer = await forget(wire, ann)
        await told(ann, offer, "You are forgotten")
        ended = await ada.wait_for_event(
            "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"] and bool(body["embeds"])
        )
        assert "somebody asked to be forgotten" in ended["embeds"][0]["description"]


async def test_two_at_once_share_what_follows(home: Path, pretend: Pretend) -> None:
    pretend(serves(home, "v0003"), tells(sentence="v0003 serves now."))
    async with wired(home) as wire, wire.member() as ann, wire.member() as bob:
        for person in (ann, bob):
            await vote(wire, person, f"{person.id % 97} shoes are very [MASK]")
        learnt(home)
        offers = await asyncio.gather(forget(wire, ann), forget(wire, bob))
        for person, offer in zip((ann, bob), offers, strict=True):
            await told(person, offer, "v0003 serves now.")
        assert wire.app.registry.champion() == "v0003"
        assert await forgetting_records.requests(wire.app.database) == []


async def test_a_start_with_a_locked_database_is_no_end_to_forgetting(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "LOOK_EVERY_S", 0.05)
    compact, calls = Database.compact, []

    async def locked_once(database: Database, *, rewrite: bool = True) -> bool:
        calls.append(rewrite)
        if len(calls) == 1:
            raise DatabaseUnavailableError("here", "database is locked")
        return await compact(database, rewrite=rewrite)

    monkeypatch.setattr(Database, "compact", locked_once)
    async with wired(home) as wire:
        await forgetting_records.request(wire.app.database, 7, now=datetime.now(UTC))

        async def is_done() -> bool:
            return not await forgetting_records.requests(wire.app.database)

        await eventually(is_done)


async def test_a_step_that_fails_is_told_and_done_later(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "LOOK_EVERY_S", 0.05)
    async with wired(home) as wire, wire.member() as ann:
        await vote(wire, ann)

        async def fail(*_: object, **__: object) -> None:
            raise DatabaseUnavailableError("here", "disk full")

        with monkeypatch.context() as broken:
            broken.setattr(forgetting_records, "erase_person", fail)
            offer = await forget(wire, ann)
            assert "I will keep trying until it is." in await told(ann, offer, "disk full")

        async def is_done() -> bool:
            return not await forgetting_records.requests(wire.app.database)

        await eventually(is_done)
        assert traces(home, b"xylophone") == []


async def test_a_damaged_or_compressed_backup_is_told_and_does_not_stop_the_rest(home: Path) -> None:
    async with wired(home) as wire, wire.member() as ann:
        await vote(wire, ann)
        (home / "backups").mkdir()
        (home / "backups" / "old.db.gz").write_bytes(b"rubbish")
        (home / "backups" / "torn.db").write_bytes(forgetting_records.SQLITE_HEADER + b"rubbish" * 500)
        offer = await forget(wire, ann)
        await told(ann, offer, "You are forgotten")

        async def is_told() -> bool:
            posted = await ann.messages(wire.sandbox.reports_channel_id)
            return any(
                "could not be removed from old.db.gz, torn.db" in str(message["embeds"]) for message in posted
            )

        await eventually(is_told)


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from support.wire import settings_for, wired
from storage.people import forgetting

home, user_id, step = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

async def end(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(forgetting, step, end)

async def main():
    async with wired(home) as wire:
        await wire.app.bot.get_cog("Privacy")._forgetting.forget(user_id)

asyncio.run(main())
"""


@pytest.mark.parametrize("step", ["erase_person", "erase_in_file"])
async def test_what_kill_9_interrupts_goes_on_at_the_next_start(
    home: Path, pretend: Pretend, step: str
) -> None:
    async with wired(home) as wire, wire.member() as ann:
        await vote(wire, ann)
        leave_run(home, await finished_run(wire, SECRET), f"{SECRET}.")
        learnt(home)
        copy_database(home)
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, str(home), str(ann.id), step],
        cwd=home,
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    registry = Registry(home / "models")
    assert registry.withdrawn() == {"v0004"}
    pretend(serves(home, "v0003"), tells(sentence="v0003 serves now."))
    async with wired(home) as wire:
        await champion_is(registry, "v0003")
        assert await forgetting_records.requests(wire.app.database) == []
    assert traces(home, b"xylophone", *as_stored(ann.id)) == []


async def test_a_withdrawn_champion_is_replaced_at_the_next_start(home: Path, pretend: Pretend) -> None:
    """As when the bot was killed while the run went on."""
    learnt(home)
    Registry(home / "models").withdraw(["v0004"])
    pretend("sys.exit(1)")
    async with wired(home) as wire:
        await champion_is(wire.app.registry, "v0001")


async def test_the_next_best_to_a_damaged_champion_is_none_that_is_withdrawn(home: Path) -> None:
    for version in ("v0004", "v0005"):
        learnt(home, version)
    registry = Registry(home / "models")
    registry.withdraw(["v0004"])
    (registry.path("v0005") / "model.onnx").write_bytes(b"rubbish")
    async with wired(home) as wire:
        assert wire.app.follower.predictor.version == "v0001"
