"""The whole app as people run it: `python -m bot` in a process of its own, on a home of its own."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from support.databases import database_of
from support.people import Json, Person
from support.variables import is_setting
from support.wire import eventually

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; `sentence` is its last line on standard error."""

    code: int
    out: str
    error: str

    @property
    def sentence(self) -> str:
        return self.error.strip().splitlines()[-1] if self.error.strip() else ""


class App:
    """A running bot with its sandbox; `url` is the page's."""

    def __init__(self, home: Path, process: asyncio.subprocess.Process, url: str, ready: str) -> None:
        self.home, self.process, self.url, self.ready = home, process, url, ready

    async def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, as Ctrl-C does. Returns the exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        await self.process.wait()

    def child_ids(self) -> list[int]:
        """The process ids of its children: the training process, while there is one."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in children.read_text().split()]

    def loaded(self) -> str:
        """The files that are mapped into its memory, libraries among them."""
        return Path(f"/proc/{self.process.pid}/maps").read_text()

    def log(self) -> str:
        """What it has written to standard error so far."""
        return (self.home / "bot.log").read_text()

    @contextlib.asynccontextmanager
    async def people(self, *names: str) -> AsyncIterator[list[Person]]:
        """People with open connections."""
        async with contextlib.AsyncExitStack() as stack:
            yield [await stack.enter_async_context(Person(self.url, name)) for name in names]


def version_of(reply: Json) -> str:
    """The model version in a reply's footer."""
    return str(reply["embeds"][0]["footer"]["text"].split()[1])


async def vote_down(app: App, reply: Json, *voters: Person) -> None:
    """Give a reply a 👎 of each voter, and wait until all are counted."""
    for voter in voters:
        await voter.react(reply, "👎")

    async def are_counted() -> bool:
        return app.log().count('"vote.cast"') == len(voters)

    await eventually(are_counted)


def environment(home: Path, *, token: str | None = None, **settings: object) -> dict[str, str]:
    """The environment of a process on this home: no `.env`, no hub, no token but the one given."""
    clean = {name: value for name, value in os.environ.items() if not is_setting(name)}
    clean.pop("DISCORD_TOKEN", None)
    values = {"HOME": home, "SANDBOX_PORT": 0, "SANDBOX_RATE_LIMITS": False, **database_of(home), **settings}
    named = {f"FILLBOT_{name}": str(value) for name, value in values.items()}
    if token is not None:
        named["DISCORD_TOKEN"] = token
    # One thread: with tiny models it is as fast, and gives the same weights on every machine.
    ours = {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
    }
    return clean | ours | named


async def spawn(
    module: str, *arguments: str, home: Path, env: dict[str, str], stderr: int
) -> asyncio.subprocess.Process:
    """`python -m module …` in the home, where there is no `.env` of a developer's."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=home if home.is_dir() else "/",  # noqa: ASYNC240  a moment
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )


@contextlib.asynccontextmanager
async def running_app(
    home: Path, *, timeout_s: float = 150, env: dict[str, str] | None = None, **settings: object
) -> AsyncIterator[App]:
    """Start the app, wait until it is ready, and stop it at the end.

    `env` adds to the environment, `settings` are those of FILLBOT_….
    """
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  a moment
    with (home / "bot.log").open("ab") as log:
        variables = environment(home, **settings) | (env or {})
        process = await spawn("bot", home=home, env=variables, stderr=log.fileno())
    assert process.stdout is not None
    try:
        async with asyncio.timeout(timeout_s):
            ready = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+", ready)
        assert found, f"not ready: {ready!r}\n{(home / 'bot.log').read_text()[-3000:]}"
        yield App(home, process, found.group(), ready)
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended_app(home: Path, *, token: str | None = None, **settings: object) -> Ended:
    """Start an app that ends by itself."""
    process = await spawn(
        "bot", home=home, env=environment(home, token=token, **settings), stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), error.decode())


async def train(home: Path, *arguments: str, **settings: object) -> tuple[int, str, str]:
    """`python -m training …` on a home. Returns exit code, standard output and standard error."""
    process = await spawn(
        "training", *arguments, home=home, env=environment(home, **settings), stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()
