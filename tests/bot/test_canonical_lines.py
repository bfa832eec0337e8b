"""One log line an event, with what an operator needs and nothing that a person wrote."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from support.wire import Pretend, Wire, eventually, tells, wired

from storage import runs as run_records

QUERY = "Quokka shoes are [MASK]"


def values(logs: list[Any], event: str) -> dict[str, Any]:
    """What the one line of this event says."""
    (line,) = [line for line in logs if line["event"] == event]
    return {name: value for name, value in line.items() if name not in {"event", "log_level"}}


async def test_a_query_and_a_vote_are_one_line_each(home: Path) -> None:
    async with wired(home) as wire, wire.member() as ann:
        with capture_logs() as logs:
            reply = await wire.ask(ann, QUERY)
            await ann.react(reply, "👍")

            async def is_logged() -> bool:
                return any(line["event"] == "vote.cast" for line in logs)

            await eventually(is_logged)
    answered = values(logs, "fill.answered")
    assert set(answered) == {"prediction_id", "model_version", "latency_ms", "adjusted_by"}
    assert values(logs, "vote.cast") == {
        "message_id": int(reply["id"]),
        "via": "reaction",
        "value": 1,
        "words": 1,
    }
    assert "Quokka" not in str([line for line in logs if line["log_level"] != "debug"])


async def promoted(wire: Wire) -> int:
    """The row of a run that has promoted v0002, whose process is still there."""
    database = wire.app.database
    run_id = await run_records.open_run(
        database, "retrain", started_at=datetime.now(UTC), champion="v0001", challenger="v0002"
    )
    await run_records.finish_run(database, run_id, "promoted", finished_at=datetime.now(UTC))
    return run_id


async def test_a_run_that_promotes_is_told_from_its_end_to_the_reload(home: Path, pretend: Pretend) -> None:
    async with wired(home) as wire:
        run_id = await promoted(wire)
        pretend(tells(event="opened", run_id=run_id), tells(event="finished", sentence="v0002 was promoted."))
        wire.app.registry.promote("v0002")
        with capture_logs() as logs:
            await wire.app.runs.begin("retrain")
    assert values(logs, "model.promoted") == {"model_version": "v0002", "previous": "v0001", "run_id": run_id}
    assert values(logs, "model.reloaded") == {"model_version": "v0002", "previous": "v0001"}
    finished = values(logs, "run.finished")
    assert finished.pop("duration_s") >= 0
    assert finished == {
        "run_id": run_id,
        "trigger": "retrain",
        "status": "promoted",
        "sentence": "v0002 was promoted.",
    }
