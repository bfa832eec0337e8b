"""Several bot processes on one Discord that outlives them, one database, and one folder of models."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from support.app import environment, spawn
from support.people import Json
from support.teams import Team

from bot.sandbox.server import Sandbox


@dataclass
class Bot:
    """One process."""

    home: Path
    process: asyncio.subprocess.Process
    health_url: str = ""  # as its log says; read once, since the log grows by every answer

    def log(self) -> str:
        return (self.home / "bot.log").read_text()

    @property
    def leads(self) -> bool:
        """Whether it was elected, and has not lost that since."""
        log = self.log()
        return log.rfind("leader.elected") > log.rfind("leader.lost")

    async def ready(self, *, timeout_s: float = 60) -> str:
        """Its first line: people can ask."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout_s):
            line = (await self.process.stdout.readline()).decode()
        assert "is ready" in line, f"{line}\n{self.log()[-3000:]}"
        return line

    async def ended(self, *, timeout_s: float = 30) -> tuple[int, str]:
        """The exit code, and the last line."""
        async with asyncio.timeout(timeout_s):
            code = await self.process.wait()
        return code, self.log().strip().splitlines()[-1]

    async def readiness(self) -> Json:
        """What `/readyz` says; FILLBOT_HEALTH_PORT must be set."""
        told: Json = json.loads(await self._get("/readyz"))
        return told

    async def answered(self, by: str) -> int:
        """How many queries were answered by the `service`, or here as its `fallback`."""
        found = re.findall(rf'\{{by="{by}"\}} ([0-9.]+)', await self._get("/metrics"))
        return int(float(found[0])) if found else 0

    async def _get(self, path: str) -> str:
        if not self.health_url:
            found = re.search(r'"url": "(http[^"]+)", "event": "health.listening"', self.log())
            assert found
            self.health_url = found.group(1)
        async with aiohttp.ClientSession() as http, http.get(f"{self.health_url}{path}") as response:
            return await response.text()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@dataclass
class Bots:
    """Starts processes; all end with it."""

    folder: Path
    models: Path | None  # one folder for all of them; none where settings say where versions are
    sandbox: Sandbox
    teams: Sequence[Team]
    database_url: str
    running: list[Bot] = field(default_factory=list)

    async def start(self, *shard_ids: int, count: int, **settings: object) -> Bot:
        """Start one with some of `count` shards; `ready` waits for it."""
        home = self.folder / f"home-{len(self.running)}"
        home.mkdir()
        if self.models is not None:
            (home / "models").symlink_to(self.models)
        values = {
            "GUILD_IDS": ",".join(str(team.guild_id) for team in self.teams),
            "DISCORD_API_URL": self.sandbox.api_url,
            "DISCORD_GATEWAY_URL": self.sandbox.gateway_url,
            "REPORT_CHANNEL_ID": self.sandbox.reports_channel_id,
            "DATABASE_URL": self.database_url,
            "SHARD_COUNT": count,
            "SHARD_IDS": ",".join(map(str, shard_ids)),
            "MIN_VOTERS": 1,
            **settings,
        }
        env = environment(home, token=self.sandbox.bot_token, **values)
        with (home / "bot.log").open("ab") as log:
            process = await spawn("bot", home=home, env=env, stderr=log.fileno())
        self.running.append(Bot(home, process))
        return self.running[-1]

    async def leader(self, *, timeout_s: float = 10) -> Bot:
        """The one that leads, as soon as there is one."""
        async with asyncio.timeout(timeout_s):
            while True:
                leaders = [bot for bot in self.running if bot.process.returncode is None and bot.leads]
                if leaders:
                    assert len(leaders) == 1
                    return leaders[0]
                await asyncio.sleep(0.1)  # polled: the bots are other processes


@contextlib.asynccontextmanager
async def bots(
    folder: Path, models: Path | None, sandbox: Sandbox, teams: Sequence[Team], database_url: str
) -> AsyncIterator[Bots]:
    """Where several run."""
    several = Bots(folder, models, sandbox, teams, database_url)
    try:
        yield several
    finally:
        for bot in several.running:
            if bot.process.returncode is None:
                bot.process.terminate()
        for bot in several.running:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await bot.process.wait()
            if bot.process.returncode is None:
                await bot.kill()


def version_in(line: str) -> str:
    """The version that a ready bot names."""
    found = re.search(r"\((v\d+)\)", line)
    assert found
    return found.group(1)
