"""The bot as a process of its own, asked by a Discord-compatible server in this one."""

import asyncio
import contextlib
import itertools
import math
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bot_process import bot_process
from measure import Row, percentile, resident_mb
from sized import registry_of, sentences
from support.app import environment
from support.sandbox_world import add_channel, add_person

from bot.sandbox.messages.payloads import MessagePayload
from bot.sandbox.messages.posting import post_message
from bot.sandbox.server import Sandbox
from bot.sandbox.world.state import Event
from training.inference.fill_model import FillModel

PEOPLE = 400  # each may ask 30 times in 10 s
RATES, ASKED_FOR_S = (1, 20, 100), 8
OVERLOAD, OVERLOAD_S = 10, 60
RELOAD_RATE, RELOAD_FOR_S = 50, 24
TOLD_LATER = re.compile(r"(One|\d+) more questions? w")


@dataclass
class Answer:
    """One query on its way: when it was said, when the reply came, and what it said."""

    query: str
    said_at: float
    replied_at: float | None = None
    body: dict = field(default_factory=dict)

    @property
    def ms(self) -> float:
        assert self.replied_at is not None
        return (self.replied_at - self.said_at) * 1e3

    @property
    def is_answer(self) -> bool:
        return bool(self.body.get("embeds"))


class Load:
    """Many people of one channel. What they say is put on the gateway as if the server had just got it."""

    def __init__(self, sandbox: Sandbox, process: asyncio.subprocess.Process, home: Path) -> None:
        self.sandbox, self.process, self.home = sandbox, process, home
        self.told_later = 0
        gateway = sandbox.gateway
        people = [add_person(sandbox, f"asker-{n}", guild_id=sandbox.guild_id) for n in range(PEOPLE)]
        self._people = itertools.cycle(people)
        # Other people get no events of it.
        self._channel = add_channel(sandbox, "load", only_for=[sandbox.bot_user_id])
        self._asked: dict[str, Answer] = {}
        self._dispatch = gateway.dispatch
        gateway.dispatch = self._overhear

    def _overhear(self, events: Iterable[Event]) -> None:
        """Note every message of the bot on its way to the people."""
        now, events = time.perf_counter(), list(events)
        for event in events:
            if event.name == "MESSAGE_CREATE":
                if told := TOLD_LATER.match(event.data["content"]):
                    self.told_later += 1 if told[1] == "One" else int(told[1])
                asked = (event.data.get("message_reference") or {}).get("message_id")
                if (answer := self._asked.pop(asked, None)) is not None:
                    answer.replied_at, answer.body = now, event.data
        self._dispatch(events)

    def ask(self, query: str) -> Answer:
        """Say it; the answer is filled in when it comes."""
        payload = MessagePayload(content=f"!fill {query}")
        message, events = post_message(
            self.sandbox.world, self._channel, author=next(self._people), payload=payload
        )
        answer = self._asked[str(message.id)] = Answer(query, time.perf_counter())
        self._dispatch(events)
        return answer

    async def at_rate(
        self, queries: Iterable[str], rate: float, *, seconds: float = math.inf, settle: bool = True
    ) -> list[Answer]:
        """Ask so many a second, whatever the replies do."""
        answers: list[Answer] = []
        began = time.perf_counter()
        for number, query in enumerate(queries):
            wait = began + number / rate - time.perf_counter()
            if wait > 0 or not number % 10:
                await asyncio.sleep(max(0.0, wait))  # the rate
            if time.perf_counter() - began > seconds:
                break
            answers.append(self.ask(query))
        if settle:
            await self.settled(answers)
        return answers

    async def settled(self, answers: list[Answer], *, timeout_s: float = 30) -> None:
        """Wait until all are replied to, or the time is over."""
        ends = time.perf_counter() + timeout_s
        for answer in answers:
            while answer.replied_at is None and time.perf_counter() < ends:  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.01)

    def model_ms(self) -> dict[str, float]:
        """Query → the model's part of its time, as the bot stored it."""
        with contextlib.closing(sqlite3.connect(self.home / "fillbot.db")) as connection:
            return dict(connection.execute("SELECT query, latency_ms FROM predictions").fetchall())


@contextlib.asynccontextmanager
async def loaded(
    *, precision: str = "int8", versions: int = 1, home: Path | None = None
) -> AsyncIterator[Load]:
    """The bot, started as people start it, on a home with such versions; or on a home that is there, cold."""
    with tempfile.TemporaryDirectory() as folder:
        is_cold, home = home is not None, home or Path(folder)
        if not is_cold:
            registry_of(home, precision=precision, versions=versions)
        async with Sandbox(port=0) as sandbox:
            variables = environment(
                home,
                token=sandbox.bot_token,
                DISCORD_API_URL=sandbox.api_url,
                DISCORD_GATEWAY_URL=sandbox.gateway_url,
                GUILD_IDS=sandbox.guild_id,
            )
            del variables["OMP_NUM_THREADS"]
            async with bot_process(home, variables) as process:
                load = Load(sandbox, process, home)
                if not is_cold:
                    await load.at_rate(sentences(20, seed=99), 10)
                yield load


def wire() -> list[Row]:
    """Time outside the model: from saying it to having the reply, less the model's part."""
    return asyncio.run(_wire())


async def _wire() -> list[Row]:
    rows = []
    async with loaded() as load:
        for rate in RATES:
            queries = sentences(rate * ASKED_FOR_S, seed=100 + rate)
            answers = await load.at_rate(queries, rate)
            told = load.model_ms()
            over = [
                a.ms - told[_stored(a.query, told)] for a in answers if a.is_answer and _stored(a.query, told)
            ]
            lost = sum(not a.is_answer for a in answers)
            whole = percentile([a.ms for a in answers if a.is_answer], 50)
            note = f"{rate} queries/s for {ASKED_FOR_S} s, {lost} not answered; whole: {whole:.0f} ms"
            limits = {20: (5.0, 25.0)}.get(rate, (None, None))
            rows.append(Row("outside the model, p50", percentile(over, 50), "ms", limit=limits[0], note=note))
            rows.append(
                Row(
                    "outside the model, p99",
                    percentile(over, 99),
                    "ms",
                    limit=limits[1],
                    note=f"{rate} queries/s",
                )
            )
    return rows


def _stored(query: str, told: dict[str, float]) -> str | None:
    """The query as it is stored, with a period."""
    return next((each for each in (query, f"{query}.", query.rstrip(".")) if each in told), None)


def busy() -> list[Row]:
    """Ten times what it can answer, for a minute: everyone is answered or told, and memory stays."""
    return asyncio.run(_busy())


async def _busy() -> list[Row]:
    async with loaded() as load:
        capacity = await _capacity(load)
        rate = OVERLOAD * capacity
        queries = itertools.cycle(sentences(4000, seed=7))
        memory: list[float] = []

        async def watch() -> None:
            while True:
                memory.append(resident_mb(load.process.pid))
                await asyncio.sleep(1)  # a sample a second

        watcher, load.told_later = asyncio.create_task(watch()), 0
        asked = [f"{next(queries)} {number}" for number in range(round(rate * OVERLOAD_S))]
        answers = await load.at_rate(asked, rate, seconds=OVERLOAD_S, settle=False)
        ends = max(answer.said_at for answer in answers)
        said_for = ends - min(answer.said_at for answer in answers)
        await asyncio.sleep(2)  # the overload is over before the next measurement
        watcher.cancel()
        after = await load.at_rate(sentences(40, seed=8), 20)
        unanswered = sum(not answer.body for answer in answers)
        answered = sum(answer.is_answer for answer in answers)
        last = max(answer.replied_at for answer in answers if answer.replied_at)
        early, late = statistics.median(memory[10:20]), statistics.median(memory[-10:])
        note = (
            f"{len(answers) / said_for:.0f} queries/s for {said_for:.0f} s, "
            f"{len(answers) / said_for / capacity:.1f} × the capacity: {answered} answered, "
            f"{len(answers) - answered - unanswered} told each, {load.told_later} told together"
        )
        return [
            Row("capacity", capacity, "queries/s", is_rate=True, note="whole replies to 64 askers who wait"),
            Row("past saturation: neither", max(0, unanswered - load.told_later), "queries", note=note),
            Row("past saturation: memory at the end", late, "MB", early, note="alternative: after 15 s"),
            Row("past saturation: last reply after the last query", last - ends, "s", limit=2.0),
            Row("then, 20 queries/s: p99", percentile([a.ms for a in after if a.is_answer], 99), "ms"),
        ]


async def _capacity(load: Load, *, askers: int = 64, seconds: float = 10) -> float:
    """Answers a second to people who each ask again as soon as they are answered."""
    queries = iter(sentences(8000, seed=3))
    done, ends = 0, time.perf_counter() + seconds

    async def asker() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            answer = load.ask(next(queries))
            await load.settled([answer])
            done += answer.is_answer

    await asyncio.gather(*(asker() for _ in range(askers)))
    return done / seconds


def reload() -> list[Row]:
    """50 queries a second while versions are promoted."""
    return asyncio.run(_reload())


async def _reload() -> list[Row]:
    async with loaded(versions=2) as load:
        promoted: list[float] = []
        before = resident_mb(load.process.pid)
        peak = [before]

        async def promote() -> None:
            for version in ("v0002", "v0001", "v0002"):
                await asyncio.sleep(RELOAD_FOR_S / 4)  # spread over the measurement
                pointer = load.home / "models" / "champion.new"
                pointer.write_text(f"{version}\n")
                pointer.replace(load.home / "models" / "champion")
                promoted.append(time.perf_counter())

        async def watch() -> None:
            while True:
                peak.append(resident_mb(load.process.pid))
                await asyncio.sleep(0.1)  # ten samples a second

        tasks = [asyncio.create_task(promote()), asyncio.create_task(watch())]
        answers = await load.at_rate(sentences(RELOAD_RATE * RELOAD_FOR_S, seed=21), RELOAD_RATE)
        for task in tasks:
            task.cancel()
        during = [a for a in answers if a.is_answer and any(0 <= a.said_at - p <= 4 for p in promoted)]
        outside = [a for a in answers if a.is_answer and a not in during]
        failed = sum(not a.is_answer for a in answers)
        wrong = await asyncio.to_thread(_wrong, load, answers)
        return [
            Row(
                "reload: not answered",
                failed,
                "queries",
                note=f"of {len(answers)} at {RELOAD_RATE} queries/s, {len(promoted)} promotions",
            ),
            Row("reload: words of another version", wrong, "queries"),
            Row(
                "reload: p99, the 4 s after a promotion",
                percentile([a.ms for a in during], 99),
                "ms",
                limit=2 * percentile([a.ms for a in outside], 99),
                note="limit: twice the p99 outside",
            ),
            Row("reload: most memory", max(peak), "MB", note=f"{before:.0f} MB before"),
        ]


def _wrong(load: Load, answers: list[Answer]) -> int:
    """Replies whose bold word is not the best one of the version that they name."""
    by_version: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.is_answer and (
            found := re.search(r"Model (v\d+)", answer.body["embeds"][0]["footer"]["text"])
        ):
            by_version.setdefault(found[1], []).append(answer)
    wrong = 0
    for version, of_version in by_version.items():
        model = FillModel(load.home / "models" / version)
        for answer, masks in zip(of_version, model.fill([a.query for a in of_version], top=1), strict=True):
            wrong += f"**{masks[0][0].word}**".lower() not in answer.body["embeds"][0]["description"].lower()
    print(f"versions seen: { {v: len(a) for v, a in by_version.items()} }", file=sys.stderr)  # noqa: T201
    return wrong
