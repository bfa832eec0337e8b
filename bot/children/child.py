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

GRACE_S = 10.0  # between asking it to end and killing it
LINE_LIMIT = 1 << 20
NO_LINE = (ValueError, LookupError, TypeError, RecursionError)  # of none of ours: also when it is too long
MAX_WAITING = 10  # for their turn to ask one
PROGRAM = (sys.executable, "-m", "training")
SECRETS = ("DISCORD_TOKEN", "FILLBOT_DISCORD_TOKEN")  # in any case: that is how the settings read them

Line = dict[str, Any]


def environment(settings: Settings) -> dict[str, str]:
    """The child's environment: this one's, with the settings in force spelled out, and without the token."""
    values = {
        "HOME": settings.home.absolute(),
        "BASE_MODEL": settings.base_model,
        "DATA_DIR": settings.data_dir or "",
        "DATABASE_URL": settings.url,
        "DEVICE": settings.device,
        "MIN_JUDGEMENTS": settings.needed_judgements,
        "MIN_VOTERS": settings.needed_voters,
        "KEEP_VERSIONS": settings.keep_versions,
        "MODELS_URL": settings.models_url or "",
        "RAY_ADDRESS": settings.ray_address or "",
        "RAY_WORKERS": settings.ray_workers,
        "RAY_WAIT_S": settings.ray_wait_s,
    }
    spelled_out = {f"FILLBOT_{name}": str(value) for name, value in values.items()}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in {*spelled_out, *SECRETS}}
    return kept | spelled_out


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


class Turns:
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


async def ask(settings: Settings, command: str, *, question: bytes, timeout_s: float) -> tuple[int, bytes]:
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

    Returns:
        Its exit code.
    """
    assert process.stdout is not None
    raw = b"\n"
    while raw:
        with contextlib.suppress(*NO_LINE):
            raw = await process.stdout.readline()
            line = json.loads(raw)
            if isinstance(line, dict):
                on_line(line)
    return await process.wait()


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
