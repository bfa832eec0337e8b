"""The training subprocess: spawn it, follow its JSON lines, end it. It ends by itself when the bot dies."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from bot.errors import BusyError
from training.settings import Settings
from training.subprocess_environment import inherited_environment, settings_as_environment

GRACE_S = 10.0  # between terminate and kill
LINE_LIMIT = 1 << 20
MAX_WAITING = 10  # for a slot
PROGRAM = (sys.executable, "-m", "training")

Line = dict[str, Any]


def environment(settings: Settings) -> dict[str, str]:
    """Return the subprocess's environment: the settings in force without secrets, and needed variables."""
    given = settings_as_environment(
        settings,
        home=str(settings.home.absolute()),
        database_url=settings.url,
        min_judgements=settings.needed_judgements,  # the defaults depend on the token
        min_voters=settings.needed_voters,
    )
    return inherited_environment(os.environ, settings) | given


@contextlib.asynccontextmanager
async def spawned(
    settings: Settings, *arguments: str, log_path: Path | None = None, is_asked: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m training …`; if the block is left early, the subprocess is terminated, then killed.

    Args:
        settings: passed on through the environment.
        arguments: the command and its options.
        log_path: destination of standard error; None for the bot's own.
        is_asked: standard input carries a question; otherwise its end tells the subprocess that the bot died.
    """
    with contextlib.ExitStack() as stack:
        stderr = stack.enter_context(log_path.open("ab")) if log_path else None
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *arguments,
            *(() if is_asked else ("--end-with-parent",)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=environment(settings),
            limit=LINE_LIMIT,
        )
        try:
            yield process
        finally:
            await _end(process)


class SubprocessSlots:
    """Limits how many subprocesses run at once, since each takes a CPU and memory; the rest wait."""

    def __init__(self, at_once: int, *, max_waiting: int = MAX_WAITING) -> None:
        self._free, self._most = asyncio.Semaphore(at_once), at_once + max_waiting
        self._wanted = 0

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a slot inside the block.

        Raises:
            BusyError: too many are waiting.
        """
        if self._wanted >= self._most:
            raise BusyError
        self._wanted += 1
        try:
            async with self._free:
                yield
        finally:
            self._wanted -= 1


async def ask_subprocess(
    settings: Settings, command: str, *, question: bytes, timeout_s: float
) -> tuple[int, bytes]:
    """Exit code and output of a subprocess that reads a question from standard input.

    Unlike arguments, standard input is not visible to other users of the machine.

    Raises:
        TimeoutError: it took too long and was ended.
        OSError: it could not be started.
    """
    async with (
        asyncio.timeout(timeout_s),
        spawned(settings, command, log_path=settings.home / "training.log", is_asked=True) as process,
    ):
        answered, _ = await process.communicate(question)
        return process.returncode or 0, answered


async def follow(process: asyncio.subprocess.Process, on_line: Callable[[Line], None]) -> int:
    """Pass every JSON line to `on_line` until the subprocess ends; other output is ignored.

    Exceptions of `on_line` propagate.

    Returns:
        The exit code.
    """
    assert process.stdout is not None
    while True:
        try:
            raw = await process.stdout.readline()
        except ValueError:  # longer than LINE_LIMIT, so not one of ours
            continue
        if not raw:
            return await process.wait()
        if (line := _parsed(raw)) is not None:
            on_line(line)


def _parsed(raw: bytes) -> Line | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


async def _end(process: asyncio.subprocess.Process) -> None:
    """Terminate; kill after `GRACE_S`, or when the wait itself is cancelled."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(GRACE_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    await process.wait()
