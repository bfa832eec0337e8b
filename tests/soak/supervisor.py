"""The bot as a process of its own, started again at once whenever it ends, and what it takes."""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from support.app import spawn

READY_S, STOP_S, PAUSE_S = 60.0, 20.0, 0.5
TICKS_A_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Life:
    """One process, from start to end, in seconds of the run."""

    pid: int
    started_s: float
    ready_s: float | None = None
    ended_s: float | None = None
    code: int | None = None
    is_wanted: bool = False  # its end was: killed on purpose, or asked to stop


class Supervised:
    """Keeps a bot running on a home. Its log is `bot.log` there."""

    def __init__(self, home: Path, env: dict[str, str]) -> None:
        """Start nothing yet; times are counted from here."""
        self._home, self._env = home, env
        self._began = time.monotonic()
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopping = False
        self.lives: list[Life] = []
        self.is_ready = asyncio.Event()

    def began_now(self) -> None:
        """Count the times from here; what is there already was before."""
        for life in self.lives:
            life.started_s, life.ready_s = 0.0, 0.0
        self._began = time.monotonic()

    def now_s(self) -> float:
        """Seconds since the beginning of the run."""
        return time.monotonic() - self._began

    async def run(self) -> None:
        """Keep it running until `stop`."""
        while not self._is_stopping:
            with (self._home / "bot.log").open("ab") as log:
                process = await spawn("bot", home=self._home, env=self._env, stderr=log.fileno())
            self._process = process
            life = Life(process.pid, self.now_s())
            self.lives.append(life)
            assert process.stdout is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READY_S):
                    if b"ready" in await process.stdout.readline():
                        life.ready_s = self.now_s()
                        self.is_ready.set()
            life.code = await process.wait()
            life.ended_s = self.now_s()
            self.is_ready.clear()
            if life.ready_s is None:
                await asyncio.sleep(PAUSE_S)  # as systemd waits before it starts a service again

    async def kill(self) -> None:
        """`kill -9`; returns when the next one is ready."""
        assert self._process is not None
        life = self.lives[-1]
        life.is_wanted = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        while self.lives[-1] is life or not self.is_ready.is_set():  # noqa: ASYNC110  no event says it
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Ask it to end, and do not start it again."""
        self._is_stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        self.lives[-1].is_wanted = True
        self._process.send_signal(signal.SIGTERM)
        ends = self.now_s() + STOP_S
        while self._process.returncode is None and self.now_s() < ends:  # noqa: ASYNC110  `run` waits for it
            await asyncio.sleep(0.05)
        if self._process.returncode is None:
            self._process.kill()


def taken_by(pid: int) -> dict[str, float]:
    """What a process takes now: memory in MB, open file handles, threads, seconds of CPU."""
    proc = Path(f"/proc/{pid}")
    rollup = dict(_pairs(proc / "smaps_rollup"))
    ticks = (proc / "stat").read_text().rsplit(") ", 1)[1].split()
    return {
        "rss_mb": rollup["Rss"] / 1024,
        "pss_mb": rollup["Pss"] / 1024,
        "handles": len(list((proc / "fd").iterdir())),
        "threads": float(ticks[17]),
        "cpu_s": (int(ticks[11]) + int(ticks[12])) / TICKS_A_S,
    }


def _pairs(file: Path) -> list[tuple[str, int]]:
    lines = [line.split() for line in file.read_text().splitlines()[1:]]
    return [(words[0].rstrip(":"), int(words[1])) for words in lines if len(words) > 1]
