"""`/healthz`, `/readyz` and `/metrics` of a running bot, over HTTP; and backups in the night."""

import asyncio
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs
from support.databases import TEMPLATE, of_sqlite
from support.people import Person
from support.sandbox_faults import faults_of
from support.wire import Pretend, Wire, eventually, settings_for, tells, wired

from bot.app import open_app
from bot.errors import EX_UNAVAILABLE, StartError
from bot.operations.backups import NightlyBackup
from bot.operations.health import Readiness, health_server
from bot.operations.metrics import Metrics
from storage import runs as run_records
from storage.backends.advisory_locks import process_name
from storage.database import Database
from storage.maintenance.backups import daily, examine


async def get(url: str | None, path: str, **headers: str) -> tuple[int, Any]:
    """Status and body: an object where it is JSON."""
    assert url is not None
    async with aiohttp.ClientSession() as session, session.get(url + path, headers=headers) as response:
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text())


async def scrape(wire: Wire) -> dict[str, float]:
    """Every sample by name and labels."""
    status, text = await get(wire.app.health_url, "/metrics")
    assert status == 200
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def test_nothing_listens_unless_a_port_is_set(home: Path) -> None:
    async with wired(home) as wire:
        assert wire.app.health_url is None


async def test_a_running_bot_is_healthy_and_ready(home: Path) -> None:
    async with wired(home, health_port=0) as wire:
        assert (wire.app.health_url or "").startswith("http://127.0.0.1:")
        assert await get(wire.app.health_url, "/healthz") == (200, {"status": "ok"})
        status, body = await get(wire.app.health_url, "/readyz")
        told = {"ready": True, "model_version": "v0001", "missing": {}}
        if TEMPLATE:
            told |= {"shards": "0 of 1", "leader": process_name()}
        assert (status, body) == (200, told)


async def test_a_bot_without_its_gateway_is_healthy_and_not_ready(home: Path) -> None:
    async with wired(home, health_port=0) as wire:
        faults_of(wire.sandbox).is_down = True
        faults_of(wire.sandbox).drop_gateway(4000)

        async def missing() -> Any:
            status, body = await get(wire.app.health_url, "/readyz")
            return body["missing"] if status == 503 else None

        assert await eventually(missing) == {"discord": "not connected to Discord"}
        assert (await get(wire.app.health_url, "/healthz"))[0] == 200
        assert (await scrape(wire))["fillbot_discord_connected"] == 0


async def test_what_is_not_there_yet_hangs_or_fails_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.operations.health.PROBE_TIMEOUT_S", 0.01)
    readiness = Readiness()

    async def hang() -> str | None:
        await asyncio.Event().wait()
        return None

    async def fail() -> str | None:
        raise OSError("disk on fire")

    async with health_server(readiness, Metrics(), host="127.0.0.1", port=0) as url:
        starting = {"discord": "starting", "database": "starting", "model": "starting"}
        body = {"ready": False, "model_version": None, "missing": starting}
        assert await get(url, "/readyz") == (503, body)
        readiness.add("discord", hang)
        readiness.add("database", fail)
        _, body = await get(url, "/readyz")
        told = {"discord": "no answer within 0 s", "database": "disk on fire", "model": "starting"}
        assert body["missing"] == told
        readiness.stop()
        _, body = await get(url, "/readyz")
        assert set(body["missing"].values()) == {"stopping"}


async def test_a_port_that_is_taken_is_one_sentence(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            StartError, match=rf"cannot listen on 127.0.0.1:{port} .*FILLBOT_HEALTH_PORT"
        ) as caught:
            async with open_app(settings_for(home, health_port=port)):
                pass
    assert caught.value.exit_code == EX_UNAVAILABLE


async def test_queries_votes_and_the_cache_are_counted(home: Path) -> None:
    async with wired(home, health_port=0) as wire, wire.member() as ann:
        reply = await wire.ask(ann)
        await wire.ask(ann)
        await wire.say(ann, "!fill no mask here")
        await ann.react(reply, "👎")
        await wire.until_votes(reply, (ann, -1))
        found = await scrape(wire)
        assert found['fillbot_queries_total{outcome="answered"}'] == 2
        assert found['fillbot_queries_total{outcome="refused"}'] == 1
        assert found['fillbot_queries_total{outcome="failed"}'] == 0
        assert found["fillbot_answer_seconds_count"] == 2
        assert found["fillbot_cache_hits_total"] == 1

        async def is_counted() -> bool:
            return (await scrape(wire))['fillbot_votes_total{value="down",via="reaction"}'] == 1

        await eventually(is_counted)
        assert found['fillbot_votes_total{value="up",via="menu"}'] == 0
        assert found['fillbot_model_info{version="v0001"}'] == 1
        assert found["fillbot_queries_waiting"] == 0
        assert TEMPLATE or found["fillbot_database_size_bytes"] > 4096
        assert found["fillbot_last_backup_timestamp_seconds"] == 0
        assert found["process_resident_memory_bytes"] > 1e7


async def test_votes_by_menu_are_counted_as_such(home: Path) -> None:
    async with wired(home, health_port=0) as wire, wire.member() as ann:
        reply = await wire.ask(ann)
        row = await wire.row(reply)
        first, second = (f"0:{one['word']}" for one in row["candidates"][:2])
        await ann.select(reply, f"words:fit:{row['id']}", [first, second])

        async def is_counted() -> bool:
            return (await scrape(wire))['fillbot_votes_total{value="up",via="menu"}'] == 2

        await eventually(is_counted)


async def test_runs_and_reloads_are_counted(home: Path, pretend: Pretend) -> None:
    async with wired(home, health_port=0) as wire:
        pretend(tells(event="failed", sentence="There are no votes."), "sys.exit(1)")
        await wire.app.runs.begin("retrain")
        wire.app.registry.promote("v0002")
        await wire.app.follower.follow_champion()
        found = await scrape(wire)
        assert found['fillbot_runs_total{outcome="failed"}'] == 1
        assert found['fillbot_model_reloads_total{outcome="done"}'] == 1
        assert found['fillbot_model_info{version="v0002"}'] == 1
        assert 'fillbot_model_info{version="v0001"}' not in found


async def test_no_query_and_no_person_is_in_the_metrics(home: Path) -> None:
    async with wired(home, health_port=0) as wire, wire.member() as ann:
        await wire.ask(ann, "Quokka shoes are [MASK]")
        _, text = await get(wire.app.health_url, "/metrics")
        assert "Quokka" not in text
        assert str(ann.id) not in text


async def test_scrapers_get_the_format_that_they_ask_for() -> None:
    async with health_server(Readiness(), Metrics(), host="127.0.0.1", port=0) as url:
        _, modern = await get(url, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
        _, plain = await get(url, "/metrics")
    assert modern.endswith("# EOF\n")
    assert "# EOF" not in plain


async def night(wire: Wire, folder: Path, database: Path, *, keep: int = 7) -> None:
    """What the schedule starts."""
    backups = NightlyBackup(database, folder, keep=keep, reports=wire.app.reports, metrics=Metrics())
    await replace(wire.app.nightly_run, backups=backups).run()


async def told(person: Person, wire: Wire, holding: str) -> bool:
    messages = await person.messages(wire.sandbox.reports_channel_id)
    return any(holding in embed["description"] for message in messages for embed in message["embeds"])


@of_sqlite
async def test_the_night_begins_with_a_backup(home: Path, pretend: Pretend) -> None:
    pretend(tells(event="failed", sentence="There are no votes."))
    async with wired(home) as wire, wire.member() as ann:
        reply = await wire.ask(ann)
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
        before = datetime.now(UTC).date()
        await night(wire, home / "backups", home / "fillbot.db")
        (backup,) = daily(home / "backups")
        assert backup.name in {f"fillbot-{day}.db" for day in (before, datetime.now(UTC).date())}
        assert dict(examine(backup).rows)["votes"] == 1


@of_sqlite
async def test_a_night_that_is_caught_up_begins_with_one_too(home: Path, pretend: Pretend) -> None:
    pretend(tells(event="failed", sentence="There are no votes."))
    database = await Database.open(settings_for(home).url)
    await run_records.open_run(
        database, "nightly", started_at=datetime.now(UTC) - timedelta(days=3), champion="v0001"
    )
    await database.close()
    async with wired(home, health_port=0) as wire:

        async def is_made() -> bool:
            return (await scrape(wire))['fillbot_backups_total{outcome="done"}'] == 1

        await eventually(is_made)
        assert (await scrape(wire))["fillbot_last_backup_timestamp_seconds"] > 0


async def test_a_backup_that_fails_is_told_and_the_night_goes_on(home: Path, pretend: Pretend) -> None:
    pretend(tells(event="failed", sentence="There are no votes."))
    (home / "backups").write_text("in the way")
    async with wired(home) as wire, wire.person("ada") as ada:
        with capture_logs() as logs:
            await night(wire, home / "backups", home / "fillbot.db")
        assert "backup.failed" in [line["event"] for line in logs]
        assert await told(ada, wire, "No backup was made tonight")
        assert await told(ada, wire, "There are no votes.")


async def test_backups_can_be_switched_off(home: Path, pretend: Pretend) -> None:
    pretend(tells(event="failed", sentence="There are no votes."))
    async with wired(home) as wire:
        await night(wire, home / "backups", home / "fillbot.db", keep=0)
        assert not (home / "backups").exists()
