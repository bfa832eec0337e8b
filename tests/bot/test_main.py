"""`python -m bot` as a process: exit codes and last lines, signals, deaths of bot and training process."""

import asyncio
import json
import os
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.app import App, Ended, ended_app, environment, running_app, spawn
from support.databases import of_sqlite, rows
from support.people import Json, Person
from support.wire import eventually

from bot.sandbox.server import Sandbox
from training.registry.versions import Registry

CHANNEL_ID = Sandbox.channel_id


async def ask(person: Person, query: str = "Nike shoes are very [MASK]") -> Json:
    """Ask, and return the reply."""
    return await person.command(CHANNEL_ID, f"!fill {query}")


async def edited(person: Person, message: Json, holding: str) -> Json:
    """The message once an edit of it holds this text."""
    return await person.wait_for_event(
        "MESSAGE_UPDATE",
        predicate=lambda body: body["id"] == message["id"] and holding in str(body),
        timeout_s=120,
    )


def stored_votes(home: Path) -> list[tuple[int, int]]:
    """(voter, value) of every vote in the database of a home."""
    return sorted(rows(home, "SELECT voter_id, value FROM votes"))


def last_run(home: Path) -> tuple[str, str]:
    """Status and verdict of the newest run."""
    ((status, verdict),) = rows(home, "SELECT status, verdict FROM runs ORDER BY id DESC LIMIT 1")
    return status, verdict


def is_alive(process_id: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


async def gone(process_id: int) -> None:
    async def is_gone() -> bool:
        return not is_alive(process_id)

    await eventually(is_gone, timeout_s=20)


async def vote_down(app: App, reply: Json, *voters: Person) -> None:
    for voter in voters:
        await voter.react(reply, "👎")

    async def are_stored() -> bool:
        return stored_votes(app.home) == sorted((voter.id, -1) for voter in voters)

    await eventually(are_stored)


async def test_the_bot_says_when_it_is_ready_answers_and_stops_when_asked(home: Path) -> None:
    async with running_app(home) as app:
        assert app.ready == f"fillbot is ready (v0001): open {app.url}\n"
        async with app.people("ben") as (ben,):
            reply = await ask(ben)
            await ben.wait_for_event(
                "MESSAGE_REACTION_ADD", predicate=lambda b: b["message_id"] == reply["id"]
            )
        loaded = app.loaded()
        assert "onnxruntime" in loaded
        assert "torch" not in loaded  # gigabytes, and seconds of start

        second = await ended_app(home)
        assert second.code == 69
        assert second.sentence.startswith(f"Another fillbot is running in {home}.")
        assert "Traceback" not in second.error

        assert await app.stop(signal.SIGINT) == 0
        assert app.process.stdout is not None
        assert (await app.process.stdout.read()).decode() == "fillbot has stopped.\n"
    events = [json.loads(line)["event"] for line in app.log().splitlines()]
    told = [one for one in events if not one.startswith(("reconcile.", "leader."))]  # soon after, or not yet
    assert told == ["discord.ready", "fill.answered"]


async def refused_by_discord(home: Path, sandbox: Sandbox, token: str) -> Ended:
    """Start the bot with a token, on a sandbox that stands for Discord."""
    ended = await ended_app(
        home,
        token=token,
        GUILD_IDS=sandbox.guild_id,
        DISCORD_API_URL=sandbox.api_url,
        DISCORD_GATEWAY_URL=sandbox.gateway_url,
    )
    assert token not in ended.error + ended.out
    assert "Traceback" not in ended.error
    return ended


async def test_a_wrong_token_is_one_sentence(home: Path) -> None:
    async with Sandbox() as sandbox:
        ended = await refused_by_discord(home, sandbox, "wr0ng-t0ken")
    assert ended.code == 78
    assert ended.sentence.startswith("Discord refused the token.")


async def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    ended = await ended_app(tmp_path, token="t0ken")
    assert ended.code == 78
    assert "FILLBOT_GUILD_IDS must list the servers" in ended.sentence
    assert ended.error.count("\n") == 1


async def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = await ended_app(tmp_path / "file" / "home")
    assert ended.code == 78
    assert "cannot be written" in ended.sentence
    assert ended.error.count("\n") == 1


async def test_a_base_model_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    ended = await ended_app(tmp_path, BASE_MODEL="./no-such-folder")
    assert ended.code == 78
    assert "FILLBOT_BASE_MODEL: there is no folder no-such-folder" in ended.error
    assert "Traceback" not in ended.error


async def test_stopping_while_the_first_version_is_made_ends_that_too(tmp_path: Path) -> None:
    process = await spawn("bot", home=tmp_path, env=environment(tmp_path), stderr=asyncio.subprocess.PIPE)
    app = App(tmp_path, process, url="", ready="")

    async def has_child() -> list[int]:
        return app.child_ids()

    (child_id,) = await eventually(has_child, timeout_s=30)
    assert await app.stop(signal.SIGTERM) == 0
    assert process.stderr is not None
    assert "First start: a model is being made" in (await process.stderr.read()).decode()
    assert not is_alive(child_id)
    assert Registry(tmp_path / "models").champion() is None


@of_sqlite
async def test_a_full_disk_is_told_and_survived(home: Path) -> None:
    """Every file may grow to one megabyte, and the database's log has filled it."""
    async with running_app(home) as app, app.people("ben", "cleo") as (ben, cleo):
        reply = await ask(ben)
        await vote_down(app, reply, ben)
        size = (home / "fillbot.db-wal").stat().st_size
        soft, hard = resource.prlimit(app.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(app.process.pid, resource.RLIMIT_FSIZE, (size, hard))
        told = await ask(ben)
        assert "The database at " in told["content"]
        assert "Check that the disk has free space" in told["content"]
        assert (await cleo.command(CHANNEL_ID, "!help"))["embeds"]
        resource.prlimit(app.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        assert (await ask(cleo))["embeds"]
        assert stored_votes(home) == [(ben.id, -1)]


@pytest.fixture
async def training_app(home: Path) -> AsyncIterator[tuple[App, Person, Json]]:
    """An app in the middle of a run, ada who started it, and the message that shows its progress."""
    async with running_app(home) as app, app.people("ada", "ben", "cleo") as (ada, ben, cleo):
        await vote_down(app, await ask(ben), ben, cleo)
        message = await ada.command(CHANNEL_ID, "!retrain")
        await edited(ada, message, "⏳")  # its row is open
        yield app, ada, message


async def test_a_killed_run_is_told_and_one_that_is_stopped_ends_at_once(
    training_app: tuple[App, Person, Json],
) -> None:
    app, ada, message = training_app
    (child_id,) = app.child_ids()
    os.kill(child_id, signal.SIGKILL)
    told = await edited(ada, message, "The run failed")
    assert "ended unexpectedly" in told["embeds"][0]["description"]
    assert last_run(app.home)[0] == "failed"
    assert (await ask(ada))["embeds"]

    message = await ada.command(CHANNEL_ID, "!retrain")
    (child_id,) = app.child_ids()
    assert await app.stop(signal.SIGTERM) == 0
    assert not is_alive(child_id)
    told = await edited(ada, message, "The run failed")
    assert told["embeds"][0]["description"].endswith("The run was stopped because the bot shut down.")
    assert Registry(app.home / "models").champion() == "v0001"


async def test_a_killed_bot_takes_its_run_with_it_and_loses_no_vote(
    training_app: tuple[App, Person, Json],
) -> None:
    app, _, _ = training_app
    (child_id,) = app.child_ids()
    votes = stored_votes(app.home)
    assert len(votes) == 2
    await app.kill()
    await gone(child_id)
    assert last_run(app.home)[0] == "open"
    async with running_app(app.home) as again, again.people("ada") as (ada,):
        status, verdict = last_run(app.home)
        assert status == "failed"
        assert "interrupted" in verdict
        assert stored_votes(app.home) == votes
        assert Registry(app.home / "models").champion() == "v0001"

        async def is_told() -> bool:
            messages = await ada.messages(Sandbox.channel_id) + await ada.messages(Sandbox.reports_channel_id)
            embeds = [embed for message in messages for embed in message["embeds"]]
            return any("was interrupted" in embed.get("description", "") for embed in embeds)

        await eventually(is_told)


@pytest.mark.long
async def test_a_gpu_that_is_not_there_is_said_in_chat(home: Path) -> None:
    settings = {"DEVICE": "cuda", "BASE_MODEL": home / "models" / "v0001"}
    async with (
        running_app(home, env={"CUDA_VISIBLE_DEVICES": ""}, **settings) as app,
        app.people("ada") as (ada,),
    ):
        message = await ada.command(CHANNEL_ID, "!retrain domain")
        told = await edited(ada, message, "The run failed")
        assert "FILLBOT\\_DEVICE asks for 'cuda'" in told["embeds"][0]["description"]
