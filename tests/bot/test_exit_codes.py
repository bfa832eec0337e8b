"""Each failure of the start ends in its exit code and one sentence that says what to do."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.databases import of_sqlite
from support.wire import untouched_discord

from bot import __main__ as program

WITH_TOKEN = {"DISCORD_TOKEN": "t0ken", "FILLBOT_GUILD_IDS": "1"}


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture
def _quiet(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This home, no `.env`, and the logging of the process left as it is."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("FILLBOT_HOME", str(home))
    monkeypatch.setenv("FILLBOT_SANDBOX_PORT", "0")
    monkeypatch.setattr(program, "set_up_logging", lambda *_args, **_secrets: None)
    with untouched_discord():
        yield


def spoil_database(home: Path) -> None:
    (home / "fillbot.db").write_bytes(b"rubbish " * 1000)


def spoil_models(home: Path) -> None:
    for path in home.glob("models/v*/model.onnx"):
        path.write_bytes(b"\0")


def without_models(home: Path) -> None:
    (home / "models").rename(home / "elsewhere")


def nothing(_home: Path) -> None:
    pass


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("environment", "prepare", "code", "said"),
    [
        ({"FILLBOT_MAX_MASKS": "99"}, nothing, 78, "FILLBOT_MAX_MASKS: .* See .env.example"),
        ({"DISCORD_TOKEN": "t0ken"}, nothing, 78, "FILLBOT_GUILD_IDS must list the servers"),
        ({"FILLBOT_DISCORD_API_URL": "http://elsewhere.example"}, nothing, 78, "in clear text; use https://"),
        ({"FILLBOT_SANDBOX_PORT": "TAKEN"}, nothing, 69, "FILLBOT_SANDBOX_PORT"),
        ({"FILLBOT_HEALTH_PORT": "TAKEN"}, nothing, 69, "FILLBOT_HEALTH_PORT"),
        pytest.param({}, spoil_database, 69, "The database at .* is damaged", marks=of_sqlite),
        ({}, spoil_models, 69, "No other version can be loaded either. Restore"),
        (
            {**WITH_TOKEN, "FILLBOT_DISCORD_API_URL": "http://127.0.0.1:9/api"},
            nothing,
            69,
            "Discord cannot be reached .* Check the network",
        ),
        (
            {**WITH_TOKEN, "FILLBOT_DISCORD_API_URL": "http://127.0.0.1:9/api"},
            without_models,  # which are not made before that is known
            69,
            "Discord cannot be reached .* Check the network",
        ),
    ],
)
def test_a_start_that_fails_ends_in_a_code_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    home: Path,
    taken: str,
    *,
    environment: dict[str, str],
    prepare: Callable[[Path], None],
    code: int,
    said: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("TAKEN", taken))
    prepare(home)
    assert program.main([]) == code
    (sentence,) = capsys.readouterr().err.splitlines()
    assert re.search(said, sentence), sentence


@pytest.mark.usefixtures("_quiet")
def test_a_fault_in_the_code_is_no_sentence_but_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself ends with 1 then."""

    async def fail(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bot.app.run_app", fail)
    with pytest.raises(ZeroDivisionError):
        program.main([])


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("is_terminal", "said"), [(True, "\nfillbot has stopped.\n"), (False, "fillbot has stopped.\n")]
)
def test_the_last_sentence_does_not_share_a_line_with_the_sign_of_the_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, is_terminal: bool, said: str
) -> None:
    async def stop_at_once(*_args: object, **_options: object) -> None:
        pass

    monkeypatch.setattr("bot.app.run_app", stop_at_once)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert program.main([]) == 0
    assert capsys.readouterr().out == said


async def test_a_second_signal_does_not_interrupt_what_the_first_one_closes() -> None:
    """make passes on the signal that the whole process group has received."""
    is_closing, is_closed = asyncio.Event(), False

    async def app() -> None:
        nonlocal is_closed
        try:
            await asyncio.Event().wait()
        finally:
            is_closing.set()
            await asyncio.to_thread(os.kill, os.getpid(), signal.SIGTERM)
            for _ in range(3):
                await asyncio.sleep(0)
            is_closed = True

    running = asyncio.create_task(program._until_stopped(app()))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    assert is_closing.is_set()
    assert is_closed
