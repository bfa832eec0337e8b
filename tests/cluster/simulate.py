"""Many servers on one sandbox, asked and voted in at a rate, served by 1, 2 and 4 processes on PostgreSQL.

    PYTHONPATH=tests:. python tests/cluster/simulate.py --guilds 200 --rate 30 --seconds 30

The model is tiny unless `--sized`, so that what is measured is everything around it. The sandbox, which plays
Discord and all the people, takes a processor of its own: its share is told, too.
"""

import argparse
import asyncio
import json
import os
import random
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cluster.bots import Bot, bots
from cluster.postgres import Postgres, postgres_server
from sqlalchemy import select
from support.sandbox_world import add_person
from support.teams import Team, found_teams

from bot.sandbox.messages.payloads import MessagePayload
from bot.sandbox.messages.posting import post_message
from bot.sandbox.messages.reactions import add_reaction, remove_reaction
from bot.sandbox.server import Sandbox
from bot.sandbox.world.seed import join
from bot.sandbox.world.state import Event, User
from storage.database import Database
from storage.schema import predictions, votes

TICKS = os.sysconf("SC_CLK_TCK")
VOTES, CHANGES_MIND = 0.7, 0.3  # of answers; of votes
SETTLE_S = 20.0
ASKERS = 60
THUMBS = {1: "👍", -1: "👎"}


@dataclass(slots=True)
class Asked:
    """One query, and what came of it."""

    team: Team
    said_at: float
    replied_at: float | None = None
    reply_id: int | None = None


class Crowd:
    """People of all servers, put on the gateway as if the server had just heard them."""

    def __init__(self, sandbox: Sandbox, teams: list[Team], *, seed: int) -> None:
        self._sandbox, self._teams = sandbox, teams
        self._chance = random.Random(seed)
        # Nobody may ask more often than three times a second.
        people = [add_person(sandbox, f"asker-{number}") for number in range(ASKERS)]
        self._askers: dict[int, User] = {}
        for number, team in enumerate(teams):
            self._askers[team.guild_id] = people[number % ASKERS]
            join(sandbox.world, team.guild_id, people[number % ASKERS].id)
        self._waiting: dict[str, Asked] = {}
        self.asked: list[Asked] = []
        self.expected: dict[int, int] = {}
        self.replies_twice = 0
        self._dispatch = sandbox.gateway.dispatch
        sandbox.gateway.dispatch = self._overhear  # type: ignore[method-assign]

    def _overhear(self, events: Iterable[Event]) -> None:
        events = list(events)
        for event in events:
            to = (event.data.get("message_reference") or {}).get("message_id")
            if event.name == "MESSAGE_CREATE" and to is not None:
                asked = self._waiting.get(to)
                if asked is not None and asked.reply_id is None and event.data["embeds"]:
                    asked.replied_at, asked.reply_id = time.perf_counter(), int(event.data["id"])
                    asyncio.get_running_loop().call_later(self._chance.uniform(0.1, 2), self._vote, asked)
                elif asked is not None:
                    self.replies_twice += asked.reply_id not in (None, int(event.data["id"]))
        self._dispatch(events)

    def _ask(self) -> None:
        team = self._chance.choice(self._teams)
        channel = self._sandbox.world.channels[team.channel_id]
        word = self._chance.choice(("shoes", "socks", "jackets", "shirts"))
        text = f"!fill {self._chance.choice(('Nike', 'Our', 'These', 'Your'))} {word} are very [MASK]"
        message, events = post_message(
            self._sandbox.world,
            channel,
            author=self._askers[team.guild_id],
            payload=MessagePayload(content=text),
        )
        asked = self._waiting[str(message.id)] = Asked(team, time.perf_counter())
        self.asked.append(asked)
        self._dispatch(events)

    def _vote(self, asked: Asked) -> None:
        if self._chance.random() > VOTES:
            return
        assert asked.reply_id is not None
        value = self._chance.choice((1, -1))
        self._react(asked, value)
        if self._chance.random() < CHANGES_MIND:
            self._react(asked, value, is_back=True)
            value = -value
            self._react(asked, value)
        self.expected[asked.reply_id] = value

    def _react(self, asked: Asked, value: int, *, is_back: bool = False) -> None:
        world = self._sandbox.world
        message = world.find_message(asked.team.channel_id, asked.reply_id or 0)
        change = remove_reaction if is_back else add_reaction
        self._dispatch(
            change(world, message, emoji=THUMBS[value], user_id=self._askers[asked.team.guild_id].id)
        )

    async def at_rate(self, rate: float, *, seconds: float) -> None:
        """Ask so many a second, whatever the replies do; then wait for those that are on their way."""
        began, number = time.perf_counter(), 0
        while (now := time.perf_counter() - began) < seconds:
            while number < now * rate:
                self._ask()
                number += 1
            await asyncio.sleep(0.005)  # the pace of the questions
        ends = time.perf_counter() + SETTLE_S
        while any(one.reply_id is None for one in self.asked) and time.perf_counter() < ends:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(2.5)  # the last votes


async def wrong_votes(database: Database, expected: dict[int, int]) -> int:
    """How many replies have other votes than people gave; waits for votes that are on their way."""
    ends = time.perf_counter() + SETTLE_S
    while True:
        async with database.read() as connection:
            rows = await connection.execute(
                select(predictions.c.message_id, votes.c.value).join(
                    votes, votes.c.prediction_id == predictions.c.id
                )
            )
            stored: dict[int, list[int]] = {}
            for message_id, value in rows:
                stored.setdefault(message_id, []).append(value)
        wrong = sum(stored.get(one, []) != [value] for one, value in expected.items())
        wrong += sum(one not in expected for one in stored)
        if not wrong or time.perf_counter() > ends:
            return wrong
        await asyncio.sleep(0.5)  # polled, up to a time


def cpu_s(bot: Bot) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{bot.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(bot: Bot) -> float:
    """Memory of a process now."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{bot.process.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def ready_s(bot: Bot) -> float:
    """From the first connection to having heard of every server, as its log says."""
    at = {}
    for line in bot.log().splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            at.setdefault(entry["event"], datetime.fromisoformat(entry["timestamp"]))
    return (at["discord.ready"] - at["shards.starting"]).total_seconds()


def percentile(values: list[float], share: float) -> float:
    """Of sorted or unsorted values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def simulate(
    server: Postgres, database_url: str, models: Path, options: argparse.Namespace, processes: int
) -> dict[str, float]:
    """One line of the table."""
    async with Sandbox(max_concurrency=16) as sandbox:
        teams = found_teams(sandbox, options.guilds)
        with tempfile.TemporaryDirectory() as folder:
            async with bots(Path(folder), models, sandbox, teams, database_url) as several:
                count = max(options.shards, processes)
                for number in range(processes):
                    await several.start(*range(number, count, processes), count=count)
                await asyncio.gather(*(bot.ready(timeout_s=120) for bot in several.running))
                crowd = Crowd(sandbox, teams, seed=processes)
                await crowd.at_rate(5, seconds=3)  # warm
                crowd.asked.clear()
                idle_mb = [resident_mb(bot) for bot in several.running]
                before, own = [cpu_s(bot) for bot in several.running], _own_cpu_s()
                began = time.perf_counter()
                await crowd.at_rate(options.rate, seconds=options.seconds)
                took_s = max(one.replied_at or 0 for one in crowd.asked) - began
                used = [cpu_s(bot) - was for bot, was in zip(several.running, before, strict=True)]
                own = _own_cpu_s() - own
                database = await Database.open(database_url)
                wrong = await wrong_votes(database, crowd.expected)
                await database.close()
                answered = [one for one in crowd.asked if one.replied_at is not None]
                ms = [(one.replied_at - one.said_at) * 1e3 for one in answered if one.replied_at]
                return {
                    "processes": processes,
                    "guilds": options.guilds,
                    "asked a second": options.rate,
                    "answered a second": len(answered) / took_s,
                    "asked": len(crowd.asked),
                    "lost": len(crowd.asked) - len(answered),
                    "doubled": crowd.replies_twice,
                    "p50 ms": statistics.median(ms),
                    "p99 ms": percentile(ms, 0.99),
                    "votes": len(crowd.expected),
                    "wrong votes": wrong,
                    "ms of processor a query": sum(used) * 1e3 / len(answered),
                    "share of a processor each": max(used) / took_s,
                    "Discord's share": own / took_s,
                    "MB each": statistics.mean(idle_mb),
                    "MB each after": statistics.mean(resident_mb(bot) for bot in several.running),
                    "ready s": max(ready_s(bot) for bot in several.running),
                }


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def write_models(folder: Path, *, is_sized: bool) -> Path:
    """Tiny versions, or one of DistilBERT's size."""
    if is_sized:
        sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
        from sized import registry_of

        return registry_of(folder, precision="int8").folder
    from support.homes import write_versions

    return write_versions(folder / "models")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--guilds", type=int, default=200)
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--sized", action="store_true", help="a model of DistilBERT's size")
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder, postgres_server(is_durable=True) as server:
        models = write_models(Path(folder), is_sized=options.sized)
        for processes in options.processes:
            url = server.new_database()
            lines.append(asyncio.run(simulate(server, url, models, options, processes)))
            sys.stdout.write(json.dumps(lines[-1]) + "\n")
            sys.stdout.flush()
    width = max(map(len, lines[0]))
    for name in lines[0]:
        figures = "".join(f"{line[name]:>10.2f}" for line in lines)
        sys.stdout.write(f"{name:<{width}}{figures}\n")


if __name__ == "__main__":
    main()
