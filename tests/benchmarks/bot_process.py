"""The bot in a process of its own, on a sandbox in this one."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

READY_S = 120.0


@contextlib.asynccontextmanager
async def bot_process(home: Path, variables: Mapping[str, str]) -> AsyncIterator[Process]:
    """Start the bot, wait until it is ready, and end it after the block; `bot.log` has its log."""
    with (home / "bot.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", cwd=home, env=variables, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_S):
            ready = (await process.stdout.readline()).decode()
        if "ready" not in ready:
            raise RuntimeError(f"not ready: {(home / 'bot.log').read_text()[-2000:]}")
        yield process
    finally:
        process.terminate()
        await process.wait()
