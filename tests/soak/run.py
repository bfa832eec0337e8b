"""`make soak`: an hour of people asking and voting, with reloads and trouble, and what that did to the bot.

    python tests/soak/run.py --minutes 60 --seed 7 --rate 20
    python tests/soak/run.py --minutes 3 --trouble-every 10 --reload-every 30      all kinds in a short time

The bot is a process of its own that is started again whenever it ends; the people, and a Discord that
outlives it, are in this one. Samples go to `soak.jsonl`, the table to standard output. Ends with 1
when a vote was lost or invented, an answer missing without a reason, given twice or not of the champion, the
bot ended by itself, or a traceback was logged that is not one of the network's.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from soak import judging, report  # noqa: E402
from soak.ledger import Reign  # noqa: E402
from soak.supervisor import READY_S, Supervised, taken_by  # noqa: E402
from soak.town import Town  # noqa: E402
from soak.troubles import KILL, TROUBLES, Made, Victim, dealt, make  # noqa: E402
from support.app import environment  # noqa: E402  the path comes first
from support.sandbox_faults import faults_of  # noqa: E402

from bot.sandbox.server import Sandbox  # noqa: E402
from training.registry.versions import Registry  # noqa: E402

SAMPLE_EVERY_S = 10.0
FILES = {"database_mb": "fillbot.db", "wal_mb": "fillbot.db-wal", "log_mb": "bot.log"}
COUNTS = "SELECT (SELECT COUNT(*) FROM predictions), (SELECT COUNT(*) FROM votes)"
SETTLE_S, RECONCILE_S = 40.0, 60.0
KILLS_UNTIL = 1 / 3  # of the run: the last life is long enough to show whether memory grows


@dataclass(slots=True)
class Run:
    """One soak."""

    home: Path
    options: argparse.Namespace
    sandbox: Sandbox
    bot: Supervised
    town: Town
    chance: random.Random
    reigns: list[Reign]
    made: list[Made]
    samples: list[report.Sample]

    @property
    def database(self) -> Path:
        return self.home / "fillbot.db"

    @property
    def ends_s(self) -> float:
        return float(self.options.minutes * 60)

    async def reload(self) -> None:
        """Move the champion pointer between two versions."""
        registry, versions = Registry(self.home / "models"), ["v0001", "v0002"]
        while True:
            await asyncio.sleep(self.options.reload_every)  # a soak test runs in real time
            before = self.reigns[-1]
            version = next(one for one in versions if one != before.version)
            now_s = self.bot.now_s()
            registry.promote(version)
            self.reigns[-1] = Reign(before.version, before.from_s, self.bot.now_s())
            self.reigns.append(Reign(version, now_s, float("inf")))

    async def trouble(self) -> None:
        """Make one kind of trouble in each stretch of time, at a time that chance says."""
        names = [one for one in self.options.only.split(",") if one] or list(TROUBLES)
        early = dealt(self.chance, names)
        late = dealt(self.chance, [one for one in names if one != KILL] or names)
        victim, every = Victim(faults_of(self.sandbox), self.bot, self.database), self.options.trouble_every
        number = 0
        while True:
            at_s = (number + self.chance.uniform(0.2, 0.5)) * every
            await asyncio.sleep(max(0.0, at_s - self.bot.now_s()))  # troubles come by the clock
            is_early = self.bot.now_s() < self.ends_s * KILLS_UNTIL or self.options.only
            self.made.append(await make(next(early if is_early else late), victim, self.chance))
            number = max(number + 1, int(self.bot.now_s() / every))

    async def sample(self, out: Path) -> None:
        """Write down what the bot takes, and say how it goes."""
        with out.open("w") as file:
            while True:
                began, cpu = self.bot.now_s(), time.process_time()
                await asyncio.sleep(SAMPLE_EVERY_S)  # the period that a sample covers
                with contextlib.suppress(OSError, sqlite3.Error):  # just killed
                    one = self._sample(began, cpu)
                    self.samples.append(one)
                    file.write(json.dumps(one) + "\n")
                    file.flush()
                    last = self.made[-1].name if self.made else ""
                    _say(
                        f"{one['at_s'] / 60:5.1f} min  {one['answers_a_s']:.1f} answers/s  "
                        f"p99 {one.get('p99_ms', 0):.0f} ms  {one['rss_mb']:.0f} MB  "
                        f"{one['handles']:.0f} files  {one['threads']:.0f} threads  "
                        f"{one['waiting']:.0f} waiting  {one['votes']:.0f} votes  "
                        f"{one['harness_cpu']:.2f} cores here  {last}"
                    )

    def _sample(self, began_s: float, cpu_s: float) -> report.Sample:
        now_s, life = self.bot.now_s(), self.bot.lives[-1]
        took_s = now_s - began_s
        one: report.Sample = {"at_s": now_s, "life": float(len(self.bot.lives)), **taken_by(life.pid)}
        before = self.samples[-1] if self.samples else None
        if before is not None and before["life"] == one["life"]:
            one["cpu"] = (one["cpu_s"] - before["cpu_s"]) / (now_s - before["at_s"])
        for name, file in FILES.items():
            with contextlib.suppress(FileNotFoundError):
                one[name] = (self.home / file).stat().st_size / 1e6
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            counted = connection.execute(COUNTS).fetchone()
        one["predictions"], one["votes"] = map(float, counted)
        waits = [ask.wait_ms for ask in reversed(self.town.asks[-5000:]) if (ask.replied_s or 0.0) >= began_s]
        if waits:
            one["p50_ms"], one["p99_ms"] = (report.percentile(waits, q) for q in (0.5, 0.99))
        one["answers_a_s"], one["waiting"] = len(waits) / took_s, float(self.town.waiting)
        one["harness_cpu"] = (time.process_time() - cpu_s) / took_s
        return one

    async def end(self) -> None:
        """Let all be said, give the bot one more reason to read the thumbs back, and stop it."""
        faults_of(self.sandbox).clear()
        await self.town.settled(within_s=SETTLE_S)
        faults_of(self.sandbox).invalidate_sessions()
        ends_s = self.bot.now_s() + RECONCILE_S
        while judging.differing(self.town, judging.stored_rows(self.database)) and self.bot.now_s() < ends_s:  # noqa: ASYNC110
            await asyncio.sleep(1)  # polled: the bot is another process
        await self.bot.stop()


def main() -> int:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rate", type=float, default=20, help="questions a second, and votes a second")
    parser.add_argument("--reload-every", type=float, default=300, help="seconds")
    parser.add_argument("--trouble-every", type=float, default=60, help="seconds")
    parser.add_argument("--only", default="", help=f"trouble, separated by commas: {', '.join(TROUBLES)}")
    parser.add_argument("--base", type=Path, help="a model to serve, for real costs; tiny ones when left out")
    parser.add_argument("--out", type=Path, default=Path("soak.jsonl"), help="where the samples go")
    parser.add_argument("--home", type=Path, help="a folder to keep; a temporary one when left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        home = options.home or Path(folder) / "home"
        write_home(home / "models", options.base)
        return asyncio.run(_soak(home, options))


def write_home(folder: Path, base: Path | None) -> None:
    """Two versions or more: tiny ones, or a base and one that differs a little."""
    if base is None:
        from support.homes import write_versions

        write_versions(folder)
        return
    import torch

    from training.models.torch_model import load
    from training.models.writing import write_version

    registry, model = Registry(folder), load(base)
    write_version(registry, model, base=base.name, settings={}, shown_words=5, kind="base")
    torch.manual_seed(0)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(torch.randn_like(each) * 0.02 * each.std())
    write_version(
        registry,
        model,
        base=base.name,
        settings={},
        shown_words=5,
        kind="night",
        parent="v0001",
        champion="v0001",
    )
    registry.set_domain("v0001")
    registry.promote("v0001")


async def _soak(home: Path, options: argparse.Namespace) -> int:
    async with _running(home, options) as run:
        jobs = [asyncio.create_task(job) for job in (run.reload(), run.trouble(), run.sample(options.out))]
        living = asyncio.create_task(run.town.live(options.rate, until_s=run.ends_s))
        try:
            await asyncio.wait([living, *jobs], return_when=asyncio.FIRST_COMPLETED)
            for job in (living, *jobs):
                if job.done():
                    job.result()
        finally:
            for job in jobs:
                job.cancel()
        await run.bot.is_ready.wait()
        await run.end()
    return _told(run)


@contextlib.asynccontextmanager
async def _running(home: Path, options: argparse.Namespace) -> AsyncIterator[Run]:
    async with Sandbox() as sandbox:
        bot = Supervised(home, _environment(home, sandbox))
        supervising = asyncio.create_task(bot.run())
        async with asyncio.timeout(READY_S):
            await bot.is_ready.wait()
        bot.began_now()
        people, chance = (random.Random(f"{options.seed} {what}") for what in ("people", "trouble"))
        town = Town(sandbox, people, now_s=bot.now_s)
        run = Run(home, options, sandbox, bot, town, chance, [Reign("v0001", 0.0, float("inf"))], [], [])
        try:
            yield run
        finally:
            await bot.stop()
            await supervising


def _environment(home: Path, sandbox: Sandbox) -> dict[str, str]:
    settings: dict[str, Any] = {
        "DISCORD_API_URL": sandbox.api_url,
        "DISCORD_GATEWAY_URL": sandbox.gateway_url,
        "GUILD_IDS": sandbox.guild_id,
        "REPORT_CHANNEL_ID": sandbox.reports_channel_id,
        "NIGHTLY_AT": f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}",  # not within the hour
    }
    return environment(home, token=sandbox.bot_token, **settings)


def _told(run: Run) -> int:
    """Print what was found. Returns the exit code."""
    asks, lives = run.town.asks, run.bot.lives
    lines = [
        *judging.answers(asks, run.town, lives, run.reigns),
        judging.words(run.database, run.home / "models"),
        *judging.votes(run.town, judging.stored_rows(run.database), run.made),
        *judging.log_lines(run.home / "bot.log"),
        *judging.ends(lives),
    ]
    is_good = not any(line.is_bad and line.number for line in lines)
    cells = [
        (line.name, str(line.number), "✗" if line.is_bad and line.number else "", line.note) for line in lines
    ]
    grown = report.bytes_each(run.samples, "database_mb", per="predictions")
    waits = [
        (name, str(times), f"{longest:.1f} s", f"{again:.1f} s")
        for name, times, longest, again in judging.waits(asks, run.made)
    ]
    head = ("trouble", "times", "longest wait until the next", "answered again after")
    print(report.samples_table(run.samples))  # noqa: T201
    if grown is not None:
        print(f"\ndatabase: {grown:.0f} bytes for each answer with its votes")  # noqa: T201
    print(f"\n{report.aligned([head, *waits])}\n\n{report.aligned(cells)}")  # noqa: T201
    return 0 if is_good else 1


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
