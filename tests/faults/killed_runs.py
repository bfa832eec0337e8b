"""Training runs that are killed, and what must hold whenever they are."""

import asyncio
import atexit
import contextlib
import functools
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from faults.trials import Found
from sqlalchemy import select
from support.app import environment
from support.ballots import QUERY, ask

from bot.answering.champion_follower import load_champion
from storage import runs
from storage.database import Database
from storage.runs import Run
from storage.schema import votes
from storage.votes.predictions import StoredVote, cast_votes
from training.inference.fill_model import FillModel
from training.registry import promotion
from training.registry.versions import Registry

Place = Literal["step", "write", "none"]
Command = Literal["night", "domain"]
Key = tuple[int, int, str, int, str]
POINTER = re.compile(r"v[0-9]{4}\n")
VOTE_EVERY_S = 0.02


@functools.cache
def _server() -> "subprocess.Popen[str]":
    """The process that forks, started when it is first needed; it ends with this one."""
    home = Path("/")
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("forking.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=home,
        env=environment(home) | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    atexit.register(process.communicate)  # its end of the pipe is closed: it ends
    return process


async def fork(
    home: Path,
    command: Command = "night",
    *,
    place: Place = "none",
    at: int = 0,
    after_s: float | None = None,
    is_promotable: bool = True,
    is_large: bool = False,
    memory_mib: int | None = None,
    rows: int | None = None,
) -> dict[str, Any]:
    """A run on this home in a process of its own: its exit code, the places it passed, the time it took.

    Args:
        home: as `begun` makes it.
        command: which kind of run.
        place, at: killed at the n-th place of this kind, from 1; 0: at none.
        after_s: killed at this moment, wherever it is.
        is_promotable: what the gate says in the end.
        is_large: thousands of rows a step, which take a few hundred MiB.
        memory_mib: so much memory it gets beside what it has when it begins to train.
        rows: so many rows at once fit the GPU that is pretended.
    """
    asked = {"home": str(home), "command": command, "place": place, "at": at, "after_s": after_s}
    limits = {"is_large": is_large, "memory_mib": memory_mib, "rows": rows}
    line = json.dumps({**asked, **limits, "is_promotable": is_promotable})

    def exchange() -> dict[str, Any]:
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(line + "\n")
        server.stdin.flush()
        ended: dict[str, Any] = json.loads(server.stdout.readline())
        return ended

    return await asyncio.to_thread(exchange)


@functools.cache
def _measured(command: Command, place: Place) -> dict[str, Any]:
    """Filled by `measured`."""
    return {}


async def measured(home: Path, command: Command, place: Place) -> dict[str, Any]:
    """How many places of a kind a whole run passes, and how long it takes; measured once, on a copy."""
    known = _measured(command, place)
    if not known:
        copy = home.with_name(home.name + "-measured")
        shutil.copytree(home / "models", copy / "models")
        try:
            async with begun(copy):
                ended = await fork(copy, command, place=place)
        finally:
            shutil.rmtree(copy)
        assert ended["code"] == 0, f"a run that is not killed ends with {ended}"
        known |= ended
    return known


@dataclass(slots=True)
class Voting:
    """People who vote all the time; `confirmed` are the votes that were stored before the call returned."""

    database: Database
    prediction_ids: list[int]
    confirmed: dict[Key, int] = field(default_factory=dict)

    async def vote(self, number: int) -> None:
        """One more vote, or a change of an older one."""
        prediction_id = self.prediction_ids[number % len(self.prediction_ids)]
        word = ("cheap", "ugly", "comfortable")[number % 3]
        value: Literal[-1, 1] = 1 if number % 2 else -1
        vote = StoredVote(prediction_id, 0, word, 1 + number % 7, "menu", value, datetime.now(UTC))
        key = (prediction_id, 0, word, vote.voter_id, "menu")
        await cast_votes(self.database, [vote])
        self.confirmed[key] = value

    async def wrong(self) -> int:
        """How many confirmed votes are not there, and how many are there that nobody gave."""
        async with self.database.read() as connection:
            rows = (await connection.execute(select(votes))).all()
        stored = {(r.prediction_id, r.mask_index, r.word, r.voter_id, r.via): r.value for r in rows}
        assert len(stored) == len(rows), "a vote is there twice"
        return len(stored.items() ^ self.confirmed.items())

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Vote all the time in the block."""
        is_over = asyncio.Event()

        async def go_on() -> None:
            number = 0
            while not is_over.is_set():
                await self.vote(number)
                await asyncio.sleep(VOTE_EVERY_S)  # the pace of the votes
                number += 1

        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            is_over.set()
            await task


@contextlib.asynccontextmanager
async def begun(home: Path) -> AsyncIterator[Voting]:
    """A home with votes to learn from, its database open as the bot has it."""
    registry = Registry(home / "models")
    shutil.copytree(registry.path("v0001"), home / "base")  # so that nothing prunes it
    database = await Database.open(f"sqlite+aiosqlite:///{home / 'fillbot.db'}")
    try:
        voting = Voting(database, [await ask(database, f"{QUERY} {number}") for number in range(4)])
        for number in range(8):
            await voting.vote(number)
        yield voting
    finally:
        await database.close()


async def found_after_kill(home: Path, voting: Voting, *, killed_at: float, command: Command) -> Found:
    """See that nothing is lost or half done, as the bot would at its next start; then run once more."""
    registry = Registry(home / "models")
    half = await _half_promoted(home, voting.database, registry)
    model, trouble = await load_champion(registry)
    half += trouble is not None or model.version != registry.champion()
    wrong = _wrong_answers(model)
    recovery_s = time.monotonic() - killed_at
    lost = await voting.wrong()
    lost += _check(home / "fillbot.db")
    again = await fork(home, command)
    assert again["code"] == 0, f"the next run ends with {again}"
    half += await _half_promoted(home, voting.database, registry)
    left_over = [p.name for p in registry.folder.iterdir() if p.name.endswith(".partial")]
    assert not left_over, f"the next run left {left_over}"
    lost += await voting.wrong()
    return Found(lost_votes=lost, half_promoted=int(half), wrong_answers=wrong, recovery_s=recovery_s)


async def _half_promoted(home: Path, database: Database, registry: Registry) -> int:
    """Settle what a crash left open, and count what records, pointers and versions do not agree on."""
    open_before = await _rows(database, "open")
    found = len(open_before) > 1
    await promotion.repair(registry, database, now=datetime.now(UTC))
    found += bool(await _rows(database, "open"))
    for name in ("champion", "domain"):
        found += POINTER.fullmatch((registry.folder / name).read_text()) is None
    for version in registry.versions():
        registry.verify(version)  # every version there is, whole
    found += not await _agree(database, registry)
    return int(found)


async def _rows(database: Database, *statuses: str) -> list[Run]:
    """The rows of these statuses (all when none are named), oldest first."""
    rows, before = [], None
    while (row := await runs.latest(database, statuses=statuses, before_id=before)) is not None:
        rows.append(row)
        before = row.id
    return rows[::-1]


async def _agree(database: Database, registry: Registry) -> bool:
    """Whether both pointers are where the rows say that they were moved, and nowhere else."""
    champion = domain = "v0001"
    for row in await _rows(database, "promoted", "done"):
        assert row.challenger is not None
        if row.trigger == "domain":
            domain = row.challenger
            learnt = registry.card(champion).kind == "night" if champion in registry.versions() else False
            champion = champion if learnt else row.challenger
        else:
            champion = row.challenger
    return (champion, domain) == (registry.champion(), registry.domain())


def _wrong_answers(model: FillModel) -> int:
    (answer,) = model.fill([QUERY], top=5)
    return int(len(answer[0]) != 5)


def _check(file: Path) -> int:
    """What SQLite itself has against the file."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)])
