"""A bot without the Message Content intent, over the wire: it reads what is meant for it."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from faults.hosted import hosted
from structlog.testing import capture_logs
from structlog.typing import EventDict
from support.people import Person
from support.wire import EPHEMERAL, QUERY, Wire

from bot.sandbox.server import Sandbox
from bot.texts import say
from storage import runs
from storage.runs import PROOF

pytestmark = pytest.mark.asyncio(loop_scope="module")
STARTED: list[EventDict] = []  # what the start logged


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A bot for whose application the intent is off; #support is listed all the same."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with Sandbox(message_content_allowed=False) as sandbox:
        with capture_logs() as logs:
            async with hosted(home, sandbox, listen_channel_ids=(sandbox.channel_id,)) as running:
                STARTED[:] = logs
                yield running


async def test_the_log_warns_once(wire: Wire) -> None:
    warnings = [one["event"] for one in STARTED if one["log_level"] in ("warning", "error", "critical")]
    assert warnings == ["message_content.missing"]


async def test_only_what_is_meant_for_the_bot_is_read_in_a_channel(wire: Wire, ann: Person) -> None:
    since = ann.mark()
    await ann.say(wire.channel_id, f"!fill {QUERY}")
    await ann.say(wire.channel_id, QUERY)
    reply = await wire.slash(ann, "fill", text=QUERY)
    assert reply["embeds"]
    assert [one["id"] for one in await wire.by_bot(ann, since=since)] == [reply["id"]]


async def test_a_mention_is_answered(wire: Wire, ann: Person) -> None:
    mention = f"<@{wire.sandbox.bot_user_id}>"
    reply = await wire.say(ann, f"{mention} {QUERY}")
    assert (await wire.row(reply))["query"] == f"{QUERY}."
    assert (await wire.say(ann, f"{mention} help"))["embeds"][0]["title"] == say("help.title")


async def test_a_reply_with_a_mention_is_answered(wire: Wire, ann: Person) -> None:
    first = await wire.slash(ann, "fill", text=QUERY)
    since = ann.mark()
    question = await ann.say(wire.channel_id, "Nike boots are really ___", reply_to=first)
    await ann.wait_for_message(
        lambda body: (body.get("message_reference") or {}).get("message_id") == question["id"], since=since
    )


async def test_direct_messages_are_answered_with_and_without_a_command(wire: Wire, ann: Person) -> None:
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    assert (await wire.say(ann, QUERY, channel_id=channel_id))["embeds"]
    assert (await wire.say(ann, f"!fill {QUERY}", channel_id=channel_id))["embeds"]


async def test_the_bot_names_the_commands_that_work(wire: Wire, ann: Person) -> None:
    (embed,) = (await wire.slash(ann, "help"))["embeds"]
    assert "`/fill " in embed["description"]


async def test_help_does_not_promise_to_read_the_listed_channels(wire: Wire, ann: Person) -> None:
    (embed,) = (await wire.slash(ann, "help"))["embeds"]
    heard = [one["value"] for one in embed["fields"] if one["name"] == say("help.without_command")]
    assert heard == [say("help.heard")]


async def test_refusals_name_the_commands_that_work(wire: Wire, ann: Person) -> None:
    assert "`/fill no blank here [MASK]`" in (await wire.slash(ann, "fill", text="no blank here"))["content"]
    async with wire.person("ada") as ada:
        assert "`/denied add WORD`" in (await wire.slash(ada, "denied", action="add"))["content"]
        how = (await wire.slash(ada, "import"))["content"]  # which can have no file
        assert "Attach one file to a message `@fillbot import NAME`" in how


async def test_notices_name_the_commands_that_work(wire: Wire) -> None:
    database, now = wire.app.database, datetime.now(UTC)
    champion = wire.app.registry.champion()
    assert champion is not None
    proved = await runs.open_run(database, "nightly", started_at=now, champion="v0000", challenger=champion)
    await runs.finish_run(database, proved, "proving", finished_at=now)
    moved = await runs.open_run(database, "promote", started_at=now, champion="v0000", challenger=champion)
    await runs.finish_run(database, moved, "done", finished_at=now, report={"by": PROOF})
    async with wire.person("ada") as ada:
        since = ada.mark()
        assert await wire.app.proof.check() == "promote"
        told = await ada.wait_for_message(lambda body: "rollback" in str(body), since=since)
    assert "/rollback" in str(told)
    assert "!rollback" not in str(told)


async def test_the_line_after_a_choice_names_the_command_that_works(wire: Wire, ann: Person) -> None:
    now = datetime.now(UTC)
    run = await runs.open_run(
        wire.app.database, "rollback", started_at=now, champion="v0002", challenger="v0001"
    )
    await runs.finish_run(wire.app.database, run, "done", finished_at=now)
    reply = await wire.slash(ann, "fill", text=QUERY)
    word = (await wire.row(reply))["candidates"][0]["word"]
    since = ann.mark()
    await ann.select(reply, reply["components"][0]["components"][0]["custom_id"], [f"0:{word}"])
    said = await ann.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)
    assert "`/resume`" in said["content"]
