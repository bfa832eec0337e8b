"""`!retrain` over the wire; the training process is a few lines of Python that wait for the test."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.wire import Gate, Pretend, Wire, eventually, tells

from storage import runs as run_records

pytestmark = pytest.mark.asyncio(loop_scope="module")
BUSY = "A run is already in progress."


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "open")


@pytest_asyncio.fixture(loop_scope="module")
async def ada(wire: Wire) -> AsyncIterator[Person]:
    """The admin; no run outlasts the test."""
    async with wire.person("ada") as person:
        yield person

        async def is_idle() -> bool:
            return not wire.app.runs.is_running

        await eventually(is_idle)


async def open_row(wire: Wire, trigger: str = "retrain") -> int:
    now = datetime.now(UTC)
    return await run_records.open_run(wire.app.database, trigger, started_at=now, champion="v0001")


async def finish(wire: Wire, run_id: int, status: run_records.Status, **columns: object) -> None:
    now = datetime.now(UTC)
    await run_records.finish_run(wire.app.database, run_id, status, finished_at=now, **columns)


async def edited(person: Person, message: Json, holding: str) -> Json:
    """The message as it is once an edit of it holds this text."""
    return await person.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"] and holding in str(body)
    )


async def test_one_message_shows_the_progress_and_then_the_verdict(
    wire: Wire, ada: Person, gate: Gate, pretend: Pretend
) -> None:
    run_id = await open_row(wire)
    pretend(
        tells(event="opened", run_id=run_id),
        tells(event="progress", step="training", done=3, total=10),
        gate.wait,
        tells(event="finished", sentence="v0009 is the new champion."),
    )
    message = await wire.say(ada, "!retrain")
    assert message["content"] == "⏳ The run is starting …"
    assert "⏳ training ▰▰▱▱▱ 30% · " in (await edited(ada, message, "30%"))["content"]
    reasons = [{"passed": True, "text": "more wanted words"}]
    await finish(wire, run_id, "promoted", verdict={"reasons": reasons})
    gate.open()
    last = await edited(ada, message, "was promoted")
    assert last["content"] == ""
    said = "v0001 answers now. `!rollback` goes back to the version before it."
    assert last["embeds"][0]["description"] == said
    assert last["embeds"][0]["fields"][0]["value"] == "✓ More wanted words."
    assert last["embeds"][0]["footer"]["text"] == f"Run {run_id} · retrain"


async def test_progress_that_cannot_be_shown_is_passed_over(
    wire: Wire, ada: Person, gate: Gate, pretend: Pretend
) -> None:
    pretend(
        tells(event="progress", step="training"),
        "time.sleep(2)",
        tells(event="progress", step="training", done=3, total=10),
        gate.wait,
        tells(event="failed", sentence="No such GPU."),
    )
    message = await wire.say(ada, "!retrain")
    await edited(ada, message, "30%")
    gate.open()
    await edited(ada, message, "No such GPU.")


async def test_a_slash_command_shows_the_same(wire: Wire, ada: Person, pretend: Pretend) -> None:
    """Edited by its id, so that a run may last longer than an interaction's fifteen minutes."""
    pretend(tells(event="failed", sentence="No such GPU."), "sys.exit(1)")
    faults_of(wire.sandbox).fail("PATCH", "/webhooks/", status=401, times=None)
    message = await wire.slash(ada, "retrain", what="votes")
    last = await edited(ada, message, "No such GPU.")
    assert last["embeds"][0]["description"] == "The run failed: No such GPU."
    faults_of(wire.sandbox).clear()


async def test_a_second_run_is_refused_while_one_goes_on(
    wire: Wire, ada: Person, gate: Gate, pretend: Pretend
) -> None:
    pretend(gate.wait)
    await wire.say(ada, "!retrain")
    assert (await wire.say(ada, "!retrain"))["content"].startswith(BUSY)
    assert (await wire.slash(ada, "retrain", what="domain"))["content"].startswith(BUSY)
    gate.open()


async def test_others_are_refused_before_anything_starts(wire: Wire, ann: Person, pretend: Pretend) -> None:
    pretend("sys.exit('this must not run')")
    assert (await wire.say(ann, "!retrain"))["content"].startswith("Only admins can do that")
    assert not wire.app.runs.is_running


async def test_questions_and_votes_go_on_during_a_run(
    wire: Wire, ada: Person, ann: Person, gate: Gate, pretend: Pretend
) -> None:
    pretend(gate.wait)
    await wire.say(ada, "!retrain")
    reply = await wire.ask(ann)
    await ada.react(reply, "👎")
    await wire.until_votes(reply, (ada, -1))
    assert wire.app.runs.is_running
    gate.open()


async def test_a_killed_training_process_is_told(wire: Wire, ada: Person, pretend: Pretend) -> None:
    run_id = await open_row(wire)
    pretend(tells(event="opened", run_id=run_id), "os.kill(os.getpid(), signal.SIGKILL)")
    message = await wire.say(ada, "!retrain")
    last = await edited(ada, message, "The run failed")
    assert "ended unexpectedly (code -9)" in last["embeds"][0]["description"].replace("\\", "")


async def test_a_progress_message_that_was_deleted_is_left_alone(
    wire: Wire, ada: Person, gate: Gate, pretend: Pretend
) -> None:
    pretend(tells(event="progress", step="training", done=1, total=2), gate.wait)
    message = await wire.say(ada, "!retrain")
    await ada.delete(message)
    gate.open()

    async def is_idle() -> bool:
        return not wire.app.runs.is_running

    await eventually(is_idle)
    assert (await wire.say(ada, "!help"))["embeds"]


async def test_what_was_promoted_answers_without_a_restart(
    wire: Wire, ada: Person, ann: Person, pretend: Pretend
) -> None:
    champion = wire.app.registry.folder / "champion"
    run_id = await open_row(wire)
    pretend(tells(event="opened", run_id=run_id), f"open({str(champion)!r}, 'w').write('v0002')")
    message = await wire.say(ada, "!retrain")
    await edited(ada, message, "Run ")
    assert (await wire.row(await wire.ask(ann)))["model_version"] == "v0002"
    await wire.say(ada, "!rollback v0001")


async def test_the_domain_model_can_be_trained_from_chat(wire: Wire, ada: Person, pretend: Pretend) -> None:
    pretend("print(json.dumps({'event': 'failed', 'sentence': ' '.join(sys.argv[1:2])}))")
    message = await wire.say(ada, "!retrain domain")
    assert "The run failed: domain" in (await edited(ada, message, "failed"))["embeds"][0]["description"]
