import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from bot.operations.logs import set_up_logging

TOKEN = "MTE.s3cret-token"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The logging of the process as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {
        name: one.level
        for name, one in logging.Logger.manager.loggerDict.items()
        if isinstance(one, logging.Logger)
    }
    config = structlog.get_config()
    yield
    structlog.configure(**config)
    logging.raiseExceptions = True
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def written(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def fail() -> None:
    token = TOKEN  # a local variable, as a pretty traceback would show it
    raise ValueError(f"refused: {token}")


@pytest.mark.parametrize("on_terminal", [False, True], ids=["json", "terminal"])
def test_secrets_are_blacked_out_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, on_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: on_terminal)
    set_up_logging("INFO", secrets=(TOKEN,))
    log = structlog.stdlib.get_logger("bot.test")
    log.info(f"with {TOKEN}", value=TOKEN, nested={"deep": [TOKEN]})  # noqa: G004
    logging.getLogger("discord.http").warning("header %s", f"Bot {TOKEN}")
    try:
        fail()
    except ValueError:
        log.exception("failed")
    text = written(capsys)
    assert TOKEN not in text
    assert text.count("[secret]") >= 5


def test_lines_are_json_away_from_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    structlog.stdlib.get_logger("bot.test").info("fill.answered", latency_ms=3)
    logging.getLogger("discord.client").warning("from %s", "elsewhere")
    ours, theirs = [json.loads(line) for line in written(capsys).splitlines()]
    assert ours == {
        "event": "fill.answered",
        "latency_ms": 3,
        "level": "info",
        "logger": "bot.test",
        "timestamp": ours["timestamp"],
    }
    assert (theirs["event"], theirs["level"], theirs["logger"]) == (
        "from elsewhere",
        "warning",
        "discord.client",
    )


def test_libraries_are_quiet_even_at_debug(capsys: pytest.CaptureFixture[str]) -> None:
    """The gateway's DEBUG lines carry interaction tokens."""
    set_up_logging("DEBUG")
    for name in (
        "discord.gateway",
        "discord.http",
        "sqlalchemy.engine",
        "apscheduler.scheduler",
        "aiosqlite",
    ):
        logging.getLogger(name).debug("chatter")
        logging.getLogger(name).info("chatter")
    structlog.stdlib.get_logger("bot.test").debug("query", text="shoes are [MASK]")
    assert [json.loads(line)["event"] for line in written(capsys).splitlines()] == ["query"]


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("ERROR")
    structlog.stdlib.get_logger("bot.test").warning("quiet")
    logging.getLogger("discord.client").warning("quiet")
    assert written(capsys) == ""
