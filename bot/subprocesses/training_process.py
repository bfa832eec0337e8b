"""The training process: spawn it, follow its JSON lines, end it. It ends by itself when this process does."""

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
from training.subprocess_environment import passed_on, spelled_out

GRACE_S = 10.0  # between asking it to end and killing it
LINE_LIMIT = 1 << 20
MAX_WAITING = 10  # for their turn to ask one
PROGRAM = (sys.executable, "-m", "training")

Line = dict[str, Any]


def environment(settings: Settings) -> dict[str, str]:
    """The child's environment: the settings in force, without secrets, and what it needs of this one's."""
    told = spelled_out(
        settings,
        home=str(settings.home.absolute()),
        database_url=settings.url,
        min_judgements=settings.needed_judgements,  # the defaults depend on the token
        min_voters=settings.needed_voters,
    )
    return passed_on(os.environ, settings) | told


@contextlib.asynccontextmanager
async def spawned(
    settings: Settings, *arguments: str, log_path: Path | None = None, is_asked: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m training …` as a child; terminated, then killed, when the block is left early.

    Args:
        settings: handed on through the environment.
        arguments: the command and its options.
        log_path: where standard error goes; None: to this process's.
        is_asked: it reads a question from standard input to its end, rather than watching it for ours.
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
    """Lets a few children be asked at once, as each takes a processor and memory; who comes later waits."""

    def __init__(self, at_once: int, *, max_waiting: int = MAX_WAITING) -> None:
        """Begin with nobody."""
        self._free, self._most = asyncio.Semaphore(at_once), at_once + max_waiting
        self._wanted = 0

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A block that begins when it is one's turn.

        Raises:
            BusyError: too many wait already.
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
    """Exit code and answer of a child that reads a question from standard input, where nobody else sees it.

    Raises:
        TimeoutError: it took too long, and was ended.
        OSError: it could not be started.
    """
    async with (
        asyncio.timeout(timeout_s),
        spawned(settings, command, log_path=settings.home / "training.log", is_asked=True) as process,
    ):
        answered, _ = await process.communicate(question)
        return process.returncode or 0, answered


async def follow(process: asyncio.subprocess.Process, on_line: Callable[[Line], None]) -> int:
    """Hand every JSON line to `on_line` until the child ends; pass over what else it says.

    What `on_line` raises is raised.

    Returns:
        Its exit code.
    """
    assert process.stdout is not None
    while True:
        try:
            raw = await process.stdout.readline()
        except ValueError:  # longer than a line of ours can be
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
    """Terminate; kill what is still there after `GRACE_S`, or when the waiting itself is cancelled."""
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
