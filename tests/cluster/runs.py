"""Homes with tiny models and votes, and runs of them by the command line."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.ballots import QUERY, ask, vote
from support.homes import write_versions
from support.variables import is_setting

from storage import runs
from storage.database import Database
from storage.runs import Run
from training.inference.fill_model import FillModel
from training.registry.versions import Registry
from training.settings import Settings

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class TeamHome:
    """A home whose champion has one vote against its best word."""

    folder: Path
    settings: Settings

    @classmethod
    def make(cls, folder: Path, **changed: Any) -> "TeamHome":
        registry = Registry(write_versions(folder / "models"))
        settings = Settings(home=folder, device="cpu", **changed)
        words = [
            (c.word, c.score) for c in FillModel(registry.path("v0001"), threads=1).fill([QUERY], top=5)[0][0]
        ]

        async def reject_the_best() -> None:
            database = await Database.open(settings.url)
            prediction_id = await ask(database, QUERY, words=words)
            await vote(database, prediction_id, words[0][0], -1, by=1)
            await database.close()

        asyncio.run(reject_the_best())
        return cls(folder, settings)

    @property
    def champion(self) -> str | None:
        return Registry(self.settings.models_dir).champion()

    def latest(self) -> Run:
        async def read() -> Run | None:
            database = await Database.open(self.settings.url)
            try:
                return await runs.latest(database)
            finally:
                await database.close()

        run = asyncio.run(read())
        assert run is not None
        return run

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """`python -m training …` of this home, as the bot has it: JSON lines, a pipe that stays open."""
        settings = self.settings
        told = {
            "HOME": settings.home,
            "DEVICE": settings.device,
            "DATABASE_URL": settings.url,
            "RAY_ADDRESS": settings.ray_address or "",
            "RAY_WORKERS": settings.ray_workers,
            "RAY_WAIT_S": settings.ray_wait_s,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "training", *command, "--progress", "json", "--end-with-parent"],
            env={**clean(os.environ), **{f"FILLBOT_{k}": str(v) for k, v in told.items()}, **environment},
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, timeout_s: float = 120, **environment: str) -> "Ended":
        """The same, to its end."""
        process = self.start(*command, **environment)
        assert process.stdin is not None
        try:
            # Not `communicate`: that would close standard input, which says that the parent is gone.
            out, err = process.stdout.read(), process.stderr.read()  # type: ignore[union-attr]
            code = process.wait(timeout_s)
        finally:
            process.kill()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()  # type: ignore[union-attr]
        return Ended(code, [json.loads(line) for line in out.splitlines()], err)


@dataclass(frozen=True)
class Ended:
    """What came of a command."""

    code: int
    lines: list[dict[str, Any]]
    log: str


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Without anybody's settings."""
    return {k: v for k, v in environment.items() if not is_setting(k)}
