"""`!model`, `!rollback`, `!resume` and who may use them, over the wire."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from support.people import Json, Person, RefusedError
from support.sandbox_faults import faults_of
from support.sandbox_world import add_channel, add_guild
from support.wire import Wire, eventually, wired

from bot.sandbox.errors import Refusal
from storage import runs
from training.errors import RegistryError
from training.registry import promotion
from training.registry.versions import Registry

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def ada(wire: Wire) -> AsyncIterator[Person]:
    """The admin; afterwards v0001 serves again."""
    async with wire.person("ada") as person:
        yield person
    await promotion.promote(wire.app.registry, wire.app.database, "v0001", now=datetime.now(UTC))
    await wire.app.follower.follow_champion()


async def promote(wire: Wire, version: str) -> None:
    """As `python -m training promote` does, and wait until it serves."""
    await promotion.promote(wire.app.registry, wire.app.database, version, now=datetime.now(UTC))

    async def serves() -> bool:
        return wire.app.follower.predictor.version == version

    await eventually(serves)


def field(reply: Json, name: str) -> str:
    return next(one["value"] for one in reply["embeds"][0]["fields"] if one["name"] == name)


async def test_model_says_what_serves_and_where_it_comes_from(wire: Wire, ann: Person) -> None:
    reply = await wire.say(ann, "!model")
    assert reply["embeds"][0]["title"] == "Model v0001"
    assert reply["embeds"][0]["description"] == "The base model tiny, unchanged"
    assert field(reply, "Nightly runs start from") == "v0001"
    assert "!retrain domain" in field(reply, "Note")
    assert field(reply, "Next nightly run").startswith("<t:")


async def test_a_base_without_the_fast_path_is_said(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def notes(reply: Json) -> list[str]:
        return [one["value"] for one in reply["embeds"][0]["fields"] if one["name"] == "Note"]

    assert not any("without the fast path" in note for note in notes(await wire.say(ann, "!model")))
    monkeypatch.setattr(wire.app.follower.predictor._model, "has_fast_path", False)
    assert any("without the fast path" in note for note in notes(await wire.say(ann, "!model")))


async def test_a_champion_promoted_from_the_command_line_serves_by_itself(
    wire: Wire, ada: Person, ann: Person
) -> None:
    before = await wire.row(await wire.ask(ann))
    await promote(wire, "v0002")
    after = await wire.row(await wire.ask(ann))
    assert (before["model_version"], after["model_version"]) == ("v0001", "v0002")
    assert [c["score"] for c in before["candidates"]] != [c["score"] for c in after["candidates"]]
    reply = await wire.say(ann, "!model")
    assert reply["embeds"][0]["description"] == "Learnt from your votes, starting from v0001"


async def test_rollback_leads_to_the_champion_before(wire: Wire, ada: Person) -> None:
    await promote(wire, "v0002")
    reply = await wire.say(ada, "!rollback")
    assert reply["content"].startswith("**v0001** answers again. Nightly promotion is paused")
    assert wire.app.follower.predictor.version == wire.app.registry.champion() == "v0001"
    assert await runs.paused_since(wire.app.database) is not None


async def test_rollback_goes_to_a_version_that_is_named(wire: Wire, ada: Person) -> None:
    reply = await wire.slash(ada, "rollback", version="V0003")
    assert reply["content"].startswith("**v0003** answers again.")
    assert wire.app.follower.predictor.version == "v0003"


async def test_rollback_without_an_earlier_version_says_so(wire: Wire, ada: Person) -> None:
    reply = await wire.say(ada, "!rollback")
    assert (
        reply["content"]
        == "There is no earlier version to roll back to from v0001. Name one: see `!versions`."
    )
    assert wire.app.registry.champion() == "v0001"


@pytest.mark.parametrize("version", ["v0099", "latest", "../v0001", "v1"])
async def test_rollback_to_an_unknown_version_lists_those_there_are(
    wire: Wire, ada: Person, version: str
) -> None:
    reply = await wire.say(ada, f"!rollback {version}")
    assert "There is no model version" in reply["content"]
    assert "Versions here: v0001, v0002, v0003." in reply["content"]


async def test_rollback_to_a_damaged_version_is_refused(home: Path) -> None:
    async with wired(home) as wire, wire.person("ada") as ada:
        (home / "models" / "v0002" / "model.onnx").write_bytes(b"rubbish")
        reply = await wire.say(ada, "!rollback v0002")
        assert reply["content"].startswith(
            "Model version v0002 is damaged: model.onnx is not what was written."
        )
        assert wire.app.registry.champion() == wire.app.follower.predictor.version == "v0001"


async def test_resume_ends_the_pause(wire: Wire, ada: Person) -> None:
    await promote(wire, "v0002")
    await wire.say(ada, "!rollback")
    assert (await wire.say(ada, "!resume"))["content"].startswith("Nightly promotion is on again:")
    assert (await wire.say(ada, "!resume"))["content"] == "Nightly promotion is not paused."
    assert await runs.paused_since(wire.app.database) is None


@pytest.mark.parametrize("name", ["retrain", "rollback", "resume"])
async def test_only_admins_may_manage(wire: Wire, ann: Person, name: str) -> None:
    said = await wire.say(ann, f"!{name}")
    assert said["content"] == "Only admins can do that: you need the right to manage the server."
    with pytest.raises(RefusedError, match="50013"):  # Discord does not show it to them at all
        await ann.slash(wire.channel_id, name)
    assert wire.app.registry.champion() == "v0001"
    assert not wire.app.runs.is_running


async def test_the_owner_of_the_application_is_an_admin(wire: Wire) -> None:
    async with wire.person("owner") as owner:
        assert (await wire.say(owner, "!resume"))["content"] == "Nightly promotion is not paused."


async def test_an_admin_is_one_in_direct_messages_too(wire: Wire, ann: Person) -> None:
    async with wire.person("ada") as ada:
        channel_id = await ada.direct_channel_id(wire.sandbox.bot_user_id)
        reply = await wire.say(ada, "!resume", channel_id=channel_id)
        assert reply["content"] == "Nightly promotion is not paused."
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    assert (await wire.say(ann, "!resume", channel_id=channel_id))["content"].startswith("Only admins")


async def test_versions_are_offered_while_one_types(wire: Wire, ada: Person) -> None:
    offered = await ada.complete(wire.channel_id, "rollback", "version", "")
    assert [one["value"] for one in offered] == ["v0003", "v0002"]  # not the one that serves
    offered = await ada.complete(wire.channel_id, "rollback", "version", "02")
    assert [one["value"] for one in offered] == ["v0002"]


async def test_versions_are_not_offered_to_strangers(wire: Wire, ann: Person) -> None:
    guild = add_guild(wire.sandbox, "No versions here", member_ids=[ann.id, wire.sandbox.bot_user_id])
    channel = add_channel(wire.sandbox, "talk", guild_id=guild.id)
    assert await ann.complete(channel.id, "rollback", "version", "") == []


@pytest.mark.parametrize("error", [RegistryError("no pointer"), OSError(5, "disk"), TimeoutError()])
async def test_where_versions_cannot_be_looked_up_none_is_offered(
    error: Exception, wire: Wire, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(type(wire.app.registry), "withdrawn", fail)
    with capture_logs() as logs:
        assert await ada.complete(wire.channel_id, "rollback", "version", "v") == []
    assert [(one["event"], one["log_level"]) for one in logs if "choices" in one["event"]] == [
        ("choices.not_found", "warning")
    ]


@pytest.mark.nonsense
async def test_choices_that_come_too_late_are_one_line_in_the_log(
    wire: Wire, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    faults_of(wire.sandbox).refuse("POST", r"/interactions/\d+/.+/callback", Refusal.UNKNOWN_INTERACTION)
    with capture_logs() as logs:
        await ada.begin_completing(wire.channel_id, "rollback", "version", "v")

        async def is_logged() -> bool:
            return any(one["event"] == "interaction.not_answered" for one in logs)

        await eventually(is_logged)
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_champion_damaged_while_it_waits_is_not_served(home: Path) -> None:
    """The one that serves goes on, `!model` says why, and a rollback to it ends the trouble."""
    async with wired(home) as wire, wire.person("ada") as ada:
        (home / "models" / "v0002" / "model.onnx").write_bytes(b"rubbish")
        Registry(home / "models").promote("v0002")
        await wire.app.follower.follow_champion()
        reply = await wire.say(ada, "!model")
        assert reply["embeds"][0]["title"] == "Model v0001"
        note = field(reply, "Note")
        assert "v0002 is damaged" in note
        assert "Until that is fixed, v0001 answers." in note
        assert (await wire.say(ada, "!rollback"))["content"].startswith("**v0001** answers again.")
        assert "damaged" not in json.dumps((await wire.say(ada, "!model"))["embeds"])


async def test_a_damaged_champion_that_was_restored_serves_after_a_rollback_to_it(
    home: Path, models_folder: Path
) -> None:
    async with wired(home) as wire, wire.person("ada") as ada:
        (home / "models" / "v0002" / "model.onnx").write_bytes(b"rubbish")
        Registry(home / "models").promote("v0002")
        await wire.app.follower.follow_champion()
        good = (models_folder / "v0002" / "model.onnx").read_bytes()
        (home / "models" / "v0002" / "model.onnx").write_bytes(good)
        assert (await wire.say(ada, "!rollback v0002"))["content"] == "**v0002** is already the champion."
        assert wire.app.follower.predictor.version == "v0002"
        assert wire.app.follower.trouble is None
