"""The whole app as people run it: `python -m bot` in a process of its own, on a home of its own."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from people import Person

PROJECT = Path(__file__).parents[1]


class App:
    """A running bot with its sandbox; `url` is the page's."""

    def __init__(self, home: Path, process: asyncio.subprocess.Process, url: str, ready: str) -> None:
        self.home, self.process, self.url, self.ready = home, process, url, ready

    async def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does. Returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        await self.process.wait()

    @contextlib.asynccontextmanager
    async def people(self, *names: str) -> AsyncIterator[list[Person]]:
        """People with open connections."""
        async with contextlib.AsyncExitStack() as stack:
            yield [await stack.enter_async_context(Person(self.url, name)) for name in names]


def environment(home: Path, **settings: object) -> dict[str, str]:
    """The environment of a process on this home: no `.env`, no hub, no token."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FILLBOT_")}
    clean.pop("DISCORD_TOKEN", None)
    values = {"HOME": home, "SANDBOX_PORT": 0, **settings}
    named = {f"FILLBOT_{name}": str(value) for name, value in values.items()}
    # The settings would read a developer's own .env from the working directory.
    return clean | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"} | named


@contextlib.asynccontextmanager
async def running_app(home: Path, *, timeout_s: float = 150, **settings: object) -> AsyncIterator[App]:
    """Start the app, wait until it is ready, and stop it at the end."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "bot.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            cwd=home,
            env=environment(home, **settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(timeout_s):
            ready = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+", ready)
        assert found, f"not ready: {ready!r}\n{(home / 'bot.log').read_text()[-3000:]}"
        app = App(home, process, found.group(), ready)
        yield app
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def train(home: Path, *arguments: str, **settings: object) -> tuple[int, str, str]:
    """`python -m training …` on a home. Returns exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "training",
        *arguments,
        cwd=home,
        env=environment(home, **settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()
