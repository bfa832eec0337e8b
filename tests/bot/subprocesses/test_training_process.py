import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from support.wire import FOREVER, Pretend, eventually, settings_for

from bot.errors import BusyError
from bot.subprocesses import training_process
from bot.subprocesses.training_process import SubprocessSlots, environment, follow, spawned

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "


def is_alive(process: asyncio.subprocess.Process) -> bool:
    return Path(f"/proc/{process.pid}").exists()


@pytest.mark.parametrize("name", ["DISCORD_TOKEN", "discord_token", "FILLBOT_DISCORD_TOKEN", "Discord_Token"])
def test_the_token_does_not_reach_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "s3cret")
    settings = settings_for(tmp_path, discord_token="s3cret", guild_ids=(1,))
    assert "s3cret" not in json.dumps(environment(settings))


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "PATH_OF_OTHERS", "GITHUB_TOKEN", "MAIL_PASSWORD", "PGHOST"]
)
def test_what_the_child_does_not_need_of_our_environment_does_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "of others")
    assert name not in environment(settings_for(tmp_path, database_url=None))


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LC_ALL",
        "PYTHONPATH",
        "CUDA_VISIBLE_DEVICES",
        "HF_TOKEN",
        "HF_HOME",
        "https_proxy",
        "SSL_CERT_FILE",
    ],
)
def test_what_the_child_needs_of_our_environment_reaches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "ours")
    assert environment(settings_for(tmp_path))[name] == "ours"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("AWS_SECRET_ACCESS_KEY", {"models_url": "s3://bucket/models"}),
        ("PGPASSFILE", {"database_url": "postgresql+asyncpg://me@host/fillbot"}),
        ("RAY_ADDRESS", {"ray_address": "http://127.0.0.1:8265"}),
    ],
)
def test_keys_reach_the_child_where_a_setting_asks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: dict[str, str]
) -> None:
    monkeypatch.setenv(name, "ours")
    plain = settings_for(tmp_path, database_url=None)
    assert name not in environment(plain)
    assert environment(plain.model_copy(update=told))[name] == "ours"


def test_the_settings_in_force_are_spelled_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("fillbot_home", "/elsewhere")
    settings = settings_for(tmp_path, discord_token="t", guild_ids=(1,), device="cpu", base_model="./base")
    told = environment(settings)
    assert told["FILLBOT_HOME"] == str(tmp_path)
    assert "fillbot_home" not in told
    assert told["FILLBOT_DEVICE"] == "cpu"
    assert told["FILLBOT_BASE_MODEL"] == "./base"
    assert told["FILLBOT_DATABASE_URL"] == settings.url
    # With a token the thresholds are those of Discord, and the child has no token to know that by.
    assert (told["FILLBOT_MIN_JUDGEMENTS"], told["FILLBOT_MIN_VOTERS"]) == ("20", "2")


def test_the_sandbox_has_lower_thresholds(tmp_path: Path) -> None:
    told = environment(settings_for(tmp_path))
    assert (told["FILLBOT_MIN_JUDGEMENTS"], told["FILLBOT_MIN_VOTERS"]) == ("1", "1")


async def test_json_lines_are_followed_and_other_lines_skipped(tmp_path: Path, pretend: Pretend) -> None:
    pretend("""print('{"a": 1}\\nnoise\\n[2]\\n\\n{"b": "ü"}')""")
    lines: list[training_process.Line] = []
    async with spawned(settings_for(tmp_path), "run") as process:
        assert await follow(process, lines.append) == 0
    assert lines == [{"a": 1}, {"b": "ü"}]


async def test_what_no_line_of_ours_can_be_is_passed_over(tmp_path: Path, pretend: Pretend) -> None:
    pretend("""print("x" * (1 << 21) + '\\n' + "[" * 100_000 + '\\n{"a": 1}')""")
    lines: list[training_process.Line] = []
    async with spawned(settings_for(tmp_path), "run") as process:
        assert await follow(process, lines.append) == 0
    assert lines == [{"a": 1}]


@pytest.mark.parametrize("error", [KeyError("run_id"), ValueError("run_id"), RecursionError()], ids=repr)
async def test_what_the_caller_raises_for_a_line_is_not_hidden(
    tmp_path: Path, pretend: Pretend, error: Exception
) -> None:
    pretend("""print('{"event": "opened"}')""")

    def fail(_line: training_process.Line) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        async with spawned(settings_for(tmp_path), "run") as process:
            await follow(process, fail)
    assert caught.value is error


async def test_the_exit_code_is_returned(tmp_path: Path, pretend: Pretend) -> None:
    pretend("raise SystemExit(7)")
    async with spawned(settings_for(tmp_path)) as process:
        assert await follow(process, print) == 7


async def test_arguments_and_standard_error_arrive(tmp_path: Path, pretend: Pretend) -> None:
    pretend("import sys; print(sys.argv[1:], file=sys.stderr)")
    log_path = tmp_path / "training.log"
    async with spawned(settings_for(tmp_path), "run", "--trigger", "nightly", log_path=log_path) as process:
        await process.wait()
    assert log_path.read_text() == "['run', '--trigger', 'nightly', '--end-with-parent']\n"


async def test_leaving_early_terminates_the_child(tmp_path: Path, pretend: Pretend) -> None:
    pretend(FOREVER)
    async with spawned(settings_for(tmp_path)) as process:
        assert is_alive(process)
    assert process.returncode == -signal.SIGTERM


async def test_a_child_that_does_not_listen_is_killed(
    tmp_path: Path, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(DEAF + "print('{}')", FOREVER)
    monkeypatch.setattr(training_process, "GRACE_S", 0.2)
    with pytest.raises(TimeoutError):
        async with spawned(settings_for(tmp_path)) as process, asyncio.timeout(0.5):
            await follow(process, lambda line: None)
    assert process.returncode == -signal.SIGKILL


async def test_a_child_is_killed_when_the_ending_itself_is_cancelled(
    tmp_path: Path, pretend: Pretend
) -> None:
    pretend(DEAF + "print('{}')", FOREVER)
    processes = []
    listening = asyncio.Event()

    async def run() -> None:
        async with spawned(settings_for(tmp_path)) as process:
            processes.append(process)
            await follow(process, lambda line: listening.set())

    task = asyncio.create_task(run())
    await listening.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.05)  # the subprocess ignores SIGTERM, so no event marks the wait in between
    await asyncio.wait([task])
    await processes[0].wait()
    assert processes[0].returncode == -signal.SIGKILL


async def test_the_child_sees_its_parent_die(tmp_path: Path) -> None:
    """Standard input is a pipe whose other end only the parent holds: it closes however the parent ends."""
    code = "import os, sys; print(os.getpid()); sys.stdin.read(); print('gone', file=sys.stderr)"
    parent = f"""
import asyncio, sys
from pathlib import Path
sys.path[:0] = {sys.path!r}
from bot.subprocesses import training_process as child
from bot.settings import Settings
child.PROGRAM = (sys.executable, "-S", "-u", "-c", {code!r})
async def main():
    settings = Settings(_env_file=None, home=Path({str(tmp_path)!r}))
    async with child.spawned(settings, log_path=settings.home / "log") as process:
        print((await process.stdout.readline()).decode(), flush=True)
        await process.wait()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": ""}
    )
    assert process.stdout is not None
    child_id = int(await process.stdout.readline())
    os.kill(child_id, 0)  # it is there
    process.kill()
    await process.wait()

    async def has_heard() -> bool:
        return (tmp_path / "log").read_text() == "gone\n"

    await eventually(has_heard)


async def test_children_are_asked_in_turn_and_too_many_people_turned_away() -> None:
    turns, gate, began = SubprocessSlots(1, max_waiting=2), asyncio.Event(), []

    async def ask(number: int) -> None:
        async with turns.one():
            began.append(number)
            await gate.wait()

    waiting = [asyncio.create_task(ask(number)) for number in range(3)]
    await asyncio.sleep(0)  # each of them now has its turn or waits for it
    assert began == [0]
    with pytest.raises(BusyError):
        await ask(3)
    gate.set()
    await asyncio.gather(*waiting)
    await ask(4)
    assert began == [0, 1, 2, 4]


@pytest.mark.parametrize("command", ["draw", "inspect"])
async def test_what_the_bot_asks_ends_by_itself_when_the_bot_is_gone(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = "import sys; from training.cli import output; output.BOT_REQUEST_LIMIT_S = 1; "
    code += "from training.__main__ import main; sys.exit(main(sys.argv[1:]))"
    monkeypatch.setattr(training_process, "PROGRAM", (sys.executable, "-c", code))
    async with spawned(settings_for(tmp_path), command, log_path=tmp_path / "log", is_asked=True) as process:
        assert await process.wait() == -signal.SIGALRM  # its standard input is open: no end is heard
