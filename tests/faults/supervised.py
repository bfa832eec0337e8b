"""The bot as a process of its own, on a Discord that outlives it, under a supervisor that starts it anew."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from faults.hosted import settings_on
from support.app import environment, spawn

from bot.sandbox.server import Sandbox


class Supervised:
    """`python -m bot`, started again whenever it ends, as systemd does."""

    def __init__(self, home: Path, sandbox: Sandbox) -> None:
        self.home, self._sandbox = home, sandbox
        self._process: asyncio.subprocess.Process | None = None
        self._is_over = False

    async def keep(self) -> None:
        """Start it, and again, until `stop`."""
        settings = settings_on(self._sandbox)
        token = str(settings.pop("discord_token"))
        settings["guild_ids"] = ",".join(map(str, settings["guild_ids"]))
        named = {name.upper(): value for name, value in settings.items()}
        env = environment(self.home, token=token, **named)
        while not self._is_over:
            with (self.home / "bot.log").open("ab") as log:
                self._process = await spawn("bot", home=self.home, env=env, stderr=log.fileno())
            assert self._process.stdout is not None
            await self._process.stdout.read()  # until it ends

    @property
    def children(self) -> list[int]:
        """The process ids of its children: the training process, while there is one."""
        assert self._process is not None
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with contextlib.suppress(OSError):
            return [int(number) for number in path.read_text().split()]
        return []

    @property
    def peak_mib(self) -> float:
        """The most memory it had at once, in MiB."""
        assert self._process is not None
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def kill(self) -> float:
        """`kill -9`, now. Returns when."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        return time.monotonic()

    async def stop(self, keeping: "asyncio.Task[None]") -> None:
        """End it for good."""
        self._is_over = True
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        async with asyncio.timeout(30):
            await keeping


@contextlib.asynccontextmanager
async def supervised(home: Path, sandbox: Sandbox) -> AsyncIterator[Supervised]:
    """The bot on this home; it may not be ready yet."""
    bot = Supervised(home, sandbox)
    keeping = asyncio.create_task(bot.keep())
    try:
        yield bot
    finally:
        await bot.stop(keeping)
