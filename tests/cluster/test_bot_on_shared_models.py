"""A running bot whose versions other machines share."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.shared_machines import machine, rows_of, storage_of
from support.wire import Wire, eventually, wired

from bot.answering import champion_follower as follower_module
from bot.operations.checks.machine_checks import machine_findings
from bot.settings import Settings


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "WATCH_EVERY_S", 0.05)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def away(shared: Path) -> Path:
    """The storage is not mounted any more. Returns where it is."""
    return shared.rename(shared.with_name("aside"))


def back(aside: Path) -> None:
    aside.rename(aside.with_name("shared"))


async def ready(wire: Wire) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{wire.app.health_url}/readyz") as answer:
        return {**await answer.json(), "status": answer.status}


async def until_serves(wire: Wire, version: str) -> None:
    async def serves() -> bool:
        return wire.app.follower.predictor.version == version

    await eventually(serves)


async def test_what_another_machine_promotes_serves_here_and_back(
    home: Path, shared: Path, tmp_path: Path, database_url: str
) -> None:
    async with (
        wired(home, models_url=str(shared), database_url=database_url) as wire,
        wire.person("owner") as owner,
    ):
        other = machine(tmp_path / "other", str(shared), database_url)
        other.pull()  # what the bot brought along
        other.promote("v0002")
        await until_serves(wire, "v0002")
        await wire.say(owner, "!rollback v0001")
        other.pull()
        assert other.champion() == "v0001"
    rows = rows_of(database_url)
    assert [name for name, row in rows.items() if row.is_champion] == ["v0001"]
    assert rows["v0002"].moved_at is not None


async def test_while_the_storage_is_away_the_bot_answers_and_says_so(
    home: Path, shared: Path, tmp_path: Path, database_url: str
) -> None:
    async with (
        wired(home, models_url=str(shared), database_url=database_url, health_port=0) as wire,
        wire.person("owner") as owner,
    ):
        aside = away(shared)

        async def warned() -> str | None:
            found = await ready(wire)
            assert found["status"] == 200
            warning: str | None = found.get("warnings", {}).get("models")
            return warning

        assert "there is no such folder: create it, or mount it" in await eventually(warned)
        await wire.ask(owner)
        note = str(await wire.say(owner, "!model"))
        assert "Model changes made on other machines are not visible at the moment." in note
        refused = await wire.say(owner, "!rollback v0002")
        assert "cannot be reached" in str(refused)
        assert wire.app.registry.champion() == "v0001"
        back(aside)
        other = machine(tmp_path / "other", str(shared), database_url)
        other.pull()
        other.promote("v0002")
        await until_serves(wire, "v0002")
        assert "warnings" not in await ready(wire)


async def test_a_second_machine_with_nothing_of_its_own_serves_the_champion(
    home: Path, shared: Path, tmp_path: Path, database_url: str
) -> None:
    first = machine(home, str(shared), database_url)
    first.pull()
    async with wired(tmp_path / "second", models_url=str(shared), database_url=database_url) as wire:
        assert wire.app.follower.predictor.version == "v0001"


async def test_a_bot_starts_without_the_storage_on_what_it_has(
    home: Path, shared: Path, database_url: str
) -> None:
    machine(home, str(shared), database_url).pull()
    away(shared)
    async with wired(home, models_url=str(shared), database_url=database_url) as wire:
        assert wire.app.follower.predictor.version == "v0001"


@pytest.mark.parametrize("is_there", [True, False])
async def test_the_check_looks_at_the_storage(
    home: Path, shared: Path, database_url: str, *, is_there: bool
) -> None:
    if not is_there:
        away(shared)
    settings = Settings(home=home, models_url=str(shared), database_url=database_url)
    findings = [one async for one in machine_findings(settings, now=datetime.now(UTC))]
    (found,) = [one for one in findings if one.name == "shared models"]
    assert (found.mark, found.exit_code) == (("✓", 78) if is_there else ("✗", 69))
    if is_there:
        assert found.detail == "the storage can be read and written, 0 versions there"
        assert storage_of(str(shared)).names_in("probes") == []
