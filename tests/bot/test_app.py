"""Starting, closing and failing, in this process; the training process is a few lines of Python."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import discord
import pytest
from structlog.testing import capture_logs
from support.ballots import votes_on_message
from support.databases import of_sqlite
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_channel
from support.wire import FOREVER, Pretend, Wire, eventually, settings_for, tells, untouched_discord, wired

from bot.app import open_app, run_app
from bot.errors import EX_UNAVAILABLE, StartError
from bot.sandbox.server import Sandbox
from bot.sandbox.world.state import ChannelKind
from storage import runs as run_records
from storage.database import Database
from storage.errors import StorageError
from storage.settings import EX_CONFIG
from training.registry.versions import Registry


async def start_error(home: Path, **settings: object) -> StartError:
    with pytest.raises(StartError) as caught:
        async with open_app(settings_for(home, **settings)):
            pass
    assert "\n" not in str(caught.value)
    return caught.value


async def report(wire: Wire, person: Person, holding: str) -> Json:
    """The embed in the report channel whose description holds this text."""

    async def find() -> Json | None:
        for message in await person.messages(wire.sandbox.reports_channel_id):
            for embed in message["embeds"]:
                if holding in embed["description"]:
                    return embed
        return None

    return await eventually(find)


async def open_row(home: Path, trigger: str, *, ago: timedelta = timedelta(0)) -> int:
    """A run's row, left open, in the database of a home."""
    database = await Database.open(settings_for(home).url)
    run_id = await run_records.open_run(
        database, trigger, started_at=datetime.now(UTC) - ago, champion="v0001"
    )
    await database.close()
    return run_id


async def test_the_greeting_says_what_serves_and_where(home: Path) -> None:
    async with wired(home) as wire:
        assert wire.app.greeting == f"fillbot is ready (v0001): open {wire.sandbox.url}"


async def test_the_app_runs_until_it_is_cancelled(home: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    with untouched_discord():
        task = asyncio.create_task(run_app(settings_for(home), on_ready=said.put_nowait))
        assert (await said.get()).startswith("fillbot is ready (v0001)")
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize("turns", range(6))
async def test_an_app_that_is_cancelled_as_a_gap_is_noticed_ends(home: Path, turns: int) -> None:
    """`asyncio.wait_for` of Python 3.11 swallows a cancellation that meets what it waits for."""
    async with asyncio.timeout(20), wired(home) as wire:
        wire.app.reconcile.schedule_pass()
        for _ in range(turns):
            await asyncio.sleep(0)  # one turn of the event loop


async def test_a_damaged_champion_is_told_in_the_report_channel(home: Path) -> None:
    Registry(home / "models").promote("v0002")
    (home / "models" / "v0002" / "model.onnx").write_bytes(b"rubbish")
    async with wired(home) as wire, wire.person("ben") as ben:
        assert wire.app.follower.predictor.version == "v0001"
        embed = await report(wire, ben, "v0002 is damaged")
        assert embed["description"].endswith("Until that is fixed, v0001 answers.")
        assert (await wire.row(await wire.ask(ben)))["model_version"] == "v0001"


async def test_no_version_that_loads_is_a_start_error(home: Path) -> None:
    for version in ("v0001", "v0002"):
        (home / "models" / version / "model.onnx").write_bytes(b"rubbish")
    assert "No other version can be loaded either." in str(await start_error(home))


async def test_a_damaged_domain_model_does_not_stop_the_bot(home: Path) -> None:
    Registry(home / "models").promote("v0002")
    (home / "models" / "v0001" / "card.json").write_text("{")
    async with wired(home) as wire, wire.member() as person:
        assert (await wire.say(person, "!model"))["embeds"][0]["title"] == "Model v0002"


async def test_a_port_in_use_is_said(home: Path, unused_tcp_port: int) -> None:
    async with Sandbox(port=unused_tcp_port):
        error = await start_error(home, sandbox_port=unused_tcp_port)
    assert str(error).startswith(f"Port {unused_tcp_port} on 127.0.0.1 is in use")
    assert "FILLBOT_SANDBOX_PORT" in str(error)
    assert error.exit_code == EX_UNAVAILABLE


async def test_a_second_bot_on_the_same_home_is_refused(home: Path) -> None:
    async with wired(home):
        error = await start_error(home)
    assert str(error).startswith(f"Another fillbot is running in {home}.")
    assert error.exit_code == EX_UNAVAILABLE
    async with wired(home):
        pass


async def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = await start_error(tmp_path / "file" / "home")
    assert "cannot be written (Not a directory)" in str(error)
    assert "FILLBOT_HOME" in str(error)
    assert error.exit_code == EX_CONFIG


@of_sqlite
async def test_a_database_that_is_none_is_said(home: Path) -> None:
    (home / "fillbot.db").write_text("rubbish " * 1000)
    with pytest.raises(StorageError, match=r"fillbot\.db is damaged \(file is not a database\)"):
        async with open_app(settings_for(home)):
            pass


async def test_a_first_version_that_cannot_be_made_is_said(tmp_path: Path, pretend: Pretend) -> None:
    pretend("sys.exit(1)")
    error = await start_error(tmp_path / "home")
    assert str(error).startswith("There is no model to serve yet.")
    assert error.exit_code == EX_UNAVAILABLE


async def test_the_first_version_is_made_by_the_training_process(
    tmp_path: Path, models_folder: Path, pretend: Pretend
) -> None:
    home = tmp_path / "home"
    pretend(f"import shutil; shutil.copytree({str(models_folder)!r}, {str(home / 'models')!r})")
    async with wired(home) as wire:
        assert wire.app.follower.predictor.version == "v0001"


async def test_beside_a_token_no_sandbox_is_started(home: Path) -> None:
    """Here Discord is a sandbox that the test has started."""
    async with Sandbox(bot_token="t0ken") as sandbox:
        elsewhere = {
            "discord_token": "t0ken",
            "guild_ids": (sandbox.guild_id,),
            "report_channel_id": sandbox.reports_channel_id,
            "discord_api_url": sandbox.api_url + "/",
            "discord_gateway_url": sandbox.gateway_url,
        }
        with untouched_discord():
            async with open_app(settings_for(home, **elsewhere)) as app, Person(sandbox.url, "ben") as ben:
                assert app.endpoint.sandbox is None
                assert app.greeting == "fillbot is ready (v0001): the bot is online on Discord"
                since = ben.mark()
                await ben.say(sandbox.channel_id, "!fill shoes are [MASK]")
                bot_id = str(sandbox.bot_user_id)
                reply = await ben.wait_for_message(lambda body: body["author"]["id"] == bot_id, since=since)
                assert reply["embeds"]


async def test_a_connection_lost_for_good_ends_the_app(home: Path) -> None:
    async with wired(home) as wire:
        faults_of(wire.sandbox).drop_gateway(4004)
        with pytest.raises(StartError, match="lost for good") as caught:
            await wire.app.until_lost()
        assert caught.value.exit_code == EX_UNAVAILABLE


async def test_an_interrupted_run_is_settled_and_told(home: Path) -> None:
    run_id = await open_row(home, "retrain")
    async with wired(home) as wire, wire.person("ben") as ben:
        await report(wire, ben, rf"Run {run_id} \(retrain\) was interrupted.")
        row = await run_records.get_run(wire.app.database, run_id)
        assert row is not None
        assert row.status == "failed"


async def test_a_missed_night_is_caught_up_and_its_verdict_reported(home: Path, pretend: Pretend) -> None:
    await open_row(home, "nightly", ago=timedelta(days=3))
    pretend(tells(event="failed", sentence="There are no votes."), "sys.exit(1)")
    async with wired(home) as wire, wire.person("ben") as ben:
        embed = await report(wire, ben, "There are no votes.")
        assert embed["description"] == "The run failed: There are no votes."


async def test_a_night_that_was_not_missed_is_not_caught_up(home: Path, pretend: Pretend) -> None:
    run_id = await open_row(home, "nightly")
    pretend(FOREVER)
    async with wired(home) as wire, wire.person("ben") as ben:
        await wire.say(ben, "!help")  # the schedule would have started its run before it is answered
        assert not wire.app.runs.is_running
        latest = await run_records.latest(wire.app.database, "nightly")
        assert latest is not None
        assert latest.id == run_id


async def test_a_nights_verdict_is_reported_with_its_row(home: Path, pretend: Pretend) -> None:
    await open_row(home, "nightly", ago=timedelta(days=3))
    run_id = await open_row(home, "retrain")
    pretend(tells(event="opened", run_id=run_id), tells(event="finished", sentence="Nothing new."))
    async with wired(home) as wire, wire.person("ben") as ben:
        embed = await report(wire, ben, "Nothing new.")
        assert embed["footer"]["text"] == f"Run {run_id} · retrain"


async def test_the_night_is_skipped_while_a_run_goes_on(home: Path, pretend: Pretend) -> None:
    pretend(FOREVER)
    async with wired(home) as wire:
        wire.app.runs.begin("retrain")
        with capture_logs() as logs:
            await wire.app.nightly_run.run()
        assert [line["event"] for line in logs][-1] == "nightly.skipped"


async def test_a_report_channel_that_is_gone_is_survived(home: Path, pretend: Pretend) -> None:
    await open_row(home, "nightly", ago=timedelta(days=3))
    pretend(tells(event="failed", sentence="There are no votes."))
    async with Sandbox(bot_token="t0ken") as sandbox, Person(sandbox.url, "ben") as ben:
        elsewhere = {
            "discord_token": "t0ken",
            "guild_ids": (sandbox.guild_id,),
            "report_channel_id": 12345,
            "discord_api_url": sandbox.api_url,
            "discord_gateway_url": sandbox.gateway_url,
        }
        with untouched_discord():
            async with open_app(settings_for(home, **elsewhere)) as app:

                async def is_over() -> bool:
                    return not app.runs.is_running

                await eventually(is_over)
                await ben.say(sandbox.channel_id, "!help")
                await ben.wait_for_message(lambda body: bool(body["embeds"]))


async def test_what_was_heard_before_the_stop_is_answered_and_counted(home: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with wired(home) as wire:
            ben = await stack.enter_async_context(wire.person("ben"))
            reply = await wire.say(ben, "!fill shoes are [MASK]")
            for thumb in ("👍", "👎") * 5:
                await ben.react(reply, thumb)
                await ben.unreact(reply, thumb)
            await ben.react(reply, "👎")
            await wire.say(ben, "!help")  # by now the bot has heard of all of it
        database = await Database.open(settings_for(home).url)
        votes = await votes_on_message(database, int(reply["id"]))
        await database.close()
        assert [(vote.voter_id, vote.value) for vote in votes] == [(ben.id, -1)]


async def test_a_handler_that_is_late_for_the_stop_leaves_no_traceback(home: Path) -> None:
    has_begun, is_stopped = asyncio.Event(), asyncio.Event()

    async def late(message: discord.Message) -> None:
        has_begun.set()
        await is_stopped.wait()
        await message.channel.send("late")

    with capture_logs() as logs:
        async with wired(home) as wire, wire.person("ben") as ben:
            wire.app.bot.add_listener(late, "on_message")
            await ben.say(wire.channel_id, "hello")
            await has_begun.wait()
        is_stopped.set()

        async def is_dropped() -> bool:
            return any(one["event"] == "event.dropped" for one in logs)

        await eventually(is_dropped)
    assert [one for one in logs if one["log_level"] == "error"] == []


async def test_stopping_during_a_run_ends_it_and_says_so(home: Path, pretend: Pretend) -> None:
    run_id = await open_row(home, "cli")
    progress = tells(event="progress", step="training", done=0, total=0)
    pretend(tells(event="opened", run_id=run_id), progress, FOREVER)
    async with contextlib.AsyncExitStack() as stack:
        async with wired(home) as wire:
            ada = await stack.enter_async_context(wire.person("ada"))
            await wire.say(ada, "!retrain")
            await ada.wait_for_message(lambda body: body["content"].startswith("⏳ training"))
        last = await ada.wait_for_message(lambda body: bool(body["embeds"]))
        assert last["embeds"][0]["title"] == "The run failed"
        description = last["embeds"][0]["description"]
        assert description.startswith("The run was stopped because the bot shut down.")


async def test_a_report_channel_that_takes_no_messages_is_said_at_the_start(home: Path) -> None:
    async with Sandbox() as sandbox:
        forum = add_channel(sandbox, "verdicts", kind=ChannelKind.FORUM)
        settings = settings_for(
            home,
            discord_token=sandbox.bot_token,
            guild_ids=(sandbox.guild_id,),
            report_channel_id=forum.id,
            discord_api_url=sandbox.api_url,
            discord_gateway_url=sandbox.gateway_url,
        )
        with capture_logs() as logs, untouched_discord():
            async with open_app(settings):
                pass
    assert [line["kind"] for line in logs if line["event"] == "report_channel.unfit"] == ["forum"]
