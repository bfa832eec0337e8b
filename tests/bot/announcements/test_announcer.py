"""What is to be told is told in the end: over outages, restarts and crashes, and where messages are gone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from faults.hosted import hosted
from structlog.testing import capture_logs
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_channel
from support.wire import Gate, Pretend, Wire, eventually, settings_for, tells

from bot.announcements import announcer, delivery
from bot.runs import progress
from bot.sandbox.server import Sandbox
from storage import announcements as outbox
from storage import runs as run_records
from storage.database import Database

FAILED = "The run failed: No such GPU."


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A Discord that outlives the bot."""
    async with Sandbox() as server:
        yield server


@pytest.fixture
async def ada(sandbox: Sandbox) -> AsyncIterator[Person]:
    async with Person(sandbox.url, "ada") as person:
        yield person


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Discord did not take is attempted again within the second."""
    monkeypatch.setattr(announcer, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(announcer, "LONGEST_PAUSE_S", 0.3)
    monkeypatch.setattr(announcer, "REFUSED_PAUSE_S", 0.3)
    monkeypatch.setattr(announcer, "NOT_BEGUN_S", 0.0)


@pytest.fixture
def gate(tmp_path: Path, pretend: Pretend) -> Gate:
    gate = Gate(tmp_path / "open")
    pretend(gate.wait, tells(event="failed", sentence="No such GPU."), "sys.exit(1)")
    return gate


async def nothing_left(wire: Wire) -> None:
    """Wait until everything was told."""

    async def is_told() -> bool:
        return await outbox.next_due_at(wire.app.database) is None

    await eventually(is_told)


async def delayed(wire: Wire) -> None:
    """Wait until the run is over, and Discord did not take its verdict."""

    async def is_delayed() -> bool:
        rows = await outbox.due(wire.app.database, datetime.max.replace(tzinfo=UTC))
        return any(row.attempts for row in rows)

    await eventually(is_delayed)


async def shows(person: Person, message: Json, text: str) -> Json:
    """Wait until a message holds this text."""

    async def find() -> Json | None:
        now = await person.message(message)
        return now if text in str(now["embeds"]) + now["content"] else None

    found: Json = await eventually(find)
    return found


async def posted(person: Person, channel_id: int, text: str) -> Json:
    """Wait until the newest message of a channel holds this text."""

    async def find() -> Json | None:
        newest = (await person.messages(channel_id, limit=1)) or [{"embeds": [], "content": ""}]
        return newest[0] if text in str(newest[0]["embeds"]) + newest[0]["content"] else None

    found: Json = await eventually(find)
    return found


async def stored(home: Path, **about: Any) -> None:
    """What a process that was killed left in the database."""
    database = await Database.open(settings_for(home).url)
    about = {"now": datetime.now(UTC), **about}
    await outbox.store(database, about.pop("kind"), **about)
    await database.close()


async def test_a_verdict_that_is_due_while_discord_is_away_is_told_when_it_is_back(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox) as wire:
        message = await wire.say(ada, "!retrain")
        faults_of(sandbox).go_down()
        gate.open()
        await delayed(wire)
        faults_of(sandbox).clear()
        last = await shows(ada, message, FAILED)
        assert last["content"] == ""
        await nothing_left(wire)


async def test_a_verdict_outlives_a_restart_while_discord_is_away(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox) as wire:
        message = await wire.say(ada, "!retrain")
        faults_of(sandbox).go_down()
        gate.open()
        await delayed(wire)
    faults_of(sandbox).clear()
    async with hosted(home, sandbox) as wire:
        await shows(ada, message, FAILED)
        await nothing_left(wire)


async def test_a_run_that_a_killed_process_left_open_is_told_in_its_message(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox) as wire:
        message = await wire.say(ada, "!retrain")
        gate.open()
        await shows(ada, message, FAILED)
    where = {"guild_id": sandbox.guild_id, "channel_id": int(message["channel_id"]), "asker_id": ada.id}
    now = datetime.now(UTC)
    database = await Database.open(settings_for(home).url)
    run_id = await run_records.open_run(database, "retrain", started_at=now, champion="v0001")
    await database.close()
    claimed = {"claimed_until": now + announcer.CLAIM, "message_id": int(message["id"])}
    await stored(home, kind="verdict", run_trigger="retrain", now=now, **where, **claimed)
    async with hosted(home, sandbox) as wire:
        last = await shows(ada, message, "It was interrupted")
        assert last["embeds"][0]["footer"]["text"] == f"Run {run_id} · retrain"
        await nothing_left(wire)
        assert await ada.messages(sandbox.reports_channel_id) == []  # it is told once


async def test_a_process_that_was_killed_as_it_acknowledged_a_run_leaves_no_message_behind(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    now = datetime.now(UTC)
    async with hosted(home, sandbox) as wire:
        faults_of(sandbox).fail("PATCH", "/messages", status=403, times=None)
        message = await wire.say(ada, "!retrain")
        gate.open()
        await nothing_left(wire)
    faults_of(sandbox).clear()
    await stored(home, kind="verdict", run_trigger="domain", now=now, channel_id=sandbox.channel_id)
    async with hosted(home, sandbox):
        await shows(ada, message, "The bot shut down before the run started.")


async def test_a_run_that_was_asked_for_and_never_began_is_told(
    home: Path, sandbox: Sandbox, ada: Person
) -> None:
    await stored(home, kind="verdict", run_trigger="retrain", channel_id=sandbox.channel_id, asker_id=ada.id)
    async with hosted(home, sandbox) as wire:
        await posted(ada, sandbox.channel_id, "The bot shut down before the run started.")
        await nothing_left(wire)


async def test_the_digest_of_a_night_that_was_killed_is_posted(
    home: Path, sandbox: Sandbox, ada: Person
) -> None:
    now = datetime.now(UTC)
    database = await Database.open(settings_for(home).url)
    await run_records.open_run(database, "nightly", started_at=now, champion="v0001")
    await database.close()
    await stored(home, kind="digest", run_trigger="nightly", now=now, figure="People liked 80 % of it.")
    async with hosted(home, sandbox) as wire:
        message = await posted(ada, sandbox.reports_channel_id, "t was interrupted")
        assert message["embeds"][0]["description"].endswith("People liked 80 % of it.")
        await nothing_left(wire)
        assert len(await ada.messages(sandbox.reports_channel_id)) == 1


async def test_a_digest_and_a_notice_outlive_an_outage(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    gate.open()
    async with hosted(home, sandbox) as wire:
        faults_of(sandbox).go_down()
        await wire.app.nightly_run.run()
        await wire.app.reports.post_notice("The disk is full.")
        faults_of(sandbox).clear()
        await nothing_left(wire)
        told = [one["embeds"][0]["description"] for one in await ada.messages(sandbox.reports_channel_id)]
        assert sorted(told) == ["The disk is full.", FAILED]


async def test_a_verdict_whose_message_is_deleted_is_sent_to_the_same_channel(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox) as wire:
        await ada.delete(await wire.say(ada, "!retrain"))
        gate.open()
        await posted(ada, sandbox.channel_id, FAILED)


async def test_a_verdict_that_its_channel_refuses_goes_to_the_report_channel(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox) as wire:
        await wire.say(ada, "!retrain")
        for method in ("PATCH", "POST"):
            faults_of(sandbox).fail(
                method, f"/channels/{sandbox.channel_id}/messages", status=403, times=None
            )
        gate.open()
        await posted(ada, sandbox.reports_channel_id, FAILED)


async def test_a_verdict_that_no_channel_takes_goes_to_who_asked(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox, report_channel_id=12345) as wire:
        await wire.say(ada, "!retrain")
        for method in ("PATCH", "POST"):
            faults_of(sandbox).fail(
                method, f"/channels/{sandbox.channel_id}/messages", status=403, times=None
            )
        gate.open()
        await posted(ada, await ada.direct_channel_id(sandbox.bot_user_id), FAILED)


async def test_what_nothing_takes_is_tried_again_with_one_line_of_warning(
    home: Path, sandbox: Sandbox, ada: Person
) -> None:
    async with hosted(home, sandbox) as wire:
        faults_of(sandbox).fail(
            "POST", f"/channels/{sandbox.reports_channel_id}/messages", status=403, times=4
        )
        with capture_logs() as lines:
            await wire.app.reports.post_notice("The disk is full.")
            await posted(ada, sandbox.reports_channel_id, "The disk is full.")
        assert [line["log_level"] for line in lines].count("warning") == 1


async def test_what_nothing_takes_for_a_week_is_given_up(
    home: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer, "KEPT", announcer.CLAIM * 0)
    async with hosted(home, sandbox, report_channel_id=12345) as wire:
        with capture_logs() as lines:
            await wire.app.reports.post_notice("The disk is full.")
        assert [line["event"] for line in lines] == ["announcement.refused", "announcement.given_up"]
        assert await outbox.next_due_at(wire.app.database) is None


async def test_a_notice_whose_answer_was_lost_is_posted_once(
    home: Path, sandbox: Sandbox, ada: Person
) -> None:
    async with hosted(home, sandbox) as wire:
        faults_of(sandbox).cut("POST", f"/channels/{sandbox.reports_channel_id}/messages", is_done_first=True)
        await wire.app.reports.post_notice("The disk is full.")
        await nothing_left(wire)
        assert len(await ada.messages(sandbox.reports_channel_id)) == 1


async def test_a_notice_that_a_killed_process_had_sent_is_posted_once(
    home: Path, sandbox: Sandbox, ada: Person
) -> None:
    async with hosted(home, sandbox) as wire:
        since = datetime.now(UTC)
        await wire.app.reports.post_notice("The disk is full.")
    about = {"now": since, "claimed_until": since + announcer.CLAIM}
    await stored(home, kind="notice", sentence="The disk is full.", **about)
    database = await Database.open(settings_for(home).url)
    (row,) = await outbox.due(database, since + announcer.CLAIM)
    await outbox.change(database, row.id, due_at=since, claimed_until=None, attempts=1)
    await database.close()
    async with hosted(home, sandbox) as wire:
        await nothing_left(wire)
        assert len(await ada.messages(sandbox.reports_channel_id)) == 1


async def test_a_progress_message_whose_answer_was_lost_gets_the_verdict(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox):
        faults_of(sandbox).cut("POST", f"/channels/{sandbox.channel_id}/messages", is_done_first=True)
        await ada.say(sandbox.channel_id, "!retrain")
        message = await ada.wait_for_message(lambda body: body["content"].startswith("⏳"))
        gate.open()
        await shows(ada, message, FAILED)


async def test_a_run_that_could_not_be_acknowledged_is_told_in_a_new_message(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox) as wire:
        faults_of(sandbox).fail("POST", f"/channels/{sandbox.channel_id}/messages", status=403)
        await ada.say(sandbox.channel_id, "!retrain")

        async def is_running() -> bool:
            return wire.app.runs.is_running

        await eventually(is_running)
        gate.open()
        await posted(ada, sandbox.channel_id, FAILED)


async def test_an_edit_that_is_limited_is_tried_again(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    async with hosted(home, sandbox) as wire:
        message = await wire.say(ada, "!retrain")
        faults_of(sandbox).rate_limit("PATCH", "/messages", times=7, retry_after_s=0.01)
        gate.open()
        await shows(ada, message, FAILED)
        assert (await ada.messages(sandbox.channel_id, limit=1))[0]["id"] == message["id"]


async def test_one_that_cannot_be_put_into_words_does_not_hold_up_the_others(
    home: Path, sandbox: Sandbox, ada: Person
) -> None:
    database = await Database.open(settings_for(home).url)
    now = datetime.now(UTC)
    run_id = await run_records.open_run(database, "retrain", started_at=now, champion="v0001")
    await run_records.finish_run(database, run_id, "promoted", finished_at=now, report={"votes": "many"})
    await database.close()
    await stored(home, kind="verdict", run_id=run_id, sentence="", channel_id=sandbox.channel_id)
    await stored(home, kind="notice", sentence="The disk is full.")
    async with hosted(home, sandbox):
        await posted(ada, sandbox.reports_channel_id, "The disk is full.")


async def hidden_from_the_bot(sandbox: Sandbox, person: Person) -> int:
    """A channel of the guild that the bot cannot see."""
    return int(add_channel(sandbox, "hidden", only_for=[person.id]).id)


async def test_a_run_in_a_channel_that_the_bot_cannot_see_is_shown_and_told_there(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate, pretend: Pretend
) -> None:
    failed = tells(event="failed", sentence="No such GPU.")
    pretend(tells(event="progress", step="training", done=3, total=10), gate.wait, failed, "sys.exit(1)")
    channel_id = await hidden_from_the_bot(sandbox, ada)
    async with hosted(home, sandbox) as wire:
        message = await wire.slash(ada, "retrain", what="votes", channel_id=channel_id)
        await shows(ada, message, "30%")
        gate.open()
        assert (await shows(ada, message, FAILED))["content"] == ""
        await nothing_left(wire)


async def test_a_run_that_outlasts_the_token_says_where_its_end_is_told(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TOKEN_SERVES", announcer.CLAIM * 0)
    monkeypatch.setattr(delivery, "TOKEN_LIVES", announcer.CLAIM * 0)
    channel_id = await hidden_from_the_bot(sandbox, ada)
    async with hosted(home, sandbox) as wire:
        message = await wire.slash(ada, "retrain", what="votes", channel_id=channel_id)
        await shows(ada, message, f"<#{sandbox.reports_channel_id}>")
        gate.open()
        await posted(ada, sandbox.reports_channel_id, FAILED)


async def test_a_run_that_outlasts_the_token_is_told_directly_without_a_report_channel(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TOKEN_SERVES", announcer.CLAIM * 0)
    monkeypatch.setattr(delivery, "TOKEN_LIVES", announcer.CLAIM * 0)
    channel_id = await hidden_from_the_bot(sandbox, ada)
    async with hosted(home, sandbox, report_channel_id=None) as wire:
        message = await wire.slash(ada, "retrain", what="votes", channel_id=channel_id)
        await shows(ada, message, "in a direct message")
        gate.open()
        await posted(ada, await ada.direct_channel_id(sandbox.bot_user_id), FAILED)


async def test_a_restart_keeps_the_token_of_a_channel_that_the_bot_cannot_see(
    home: Path, sandbox: Sandbox, ada: Person, gate: Gate
) -> None:
    channel_id = await hidden_from_the_bot(sandbox, ada)
    async with hosted(home, sandbox) as wire:
        message = await wire.slash(ada, "retrain", what="votes", channel_id=channel_id)
        faults_of(sandbox).go_down()
        gate.open()
        await delayed(wire)
    faults_of(sandbox).clear()
    async with hosted(home, sandbox):
        await shows(ada, message, FAILED)


def test_a_run_is_shown_less_often_the_longer_it_takes() -> None:
    paces = [progress.edit_interval_s(seconds) for seconds in (0.0, 61.0, 601.0, 7200.0)]
    assert paces == sorted(paces)
    assert paces[-1] >= 60.0  # few edits of messages older than an hour are taken
