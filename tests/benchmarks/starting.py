"""From the start of the process to the first answer, with a version that is there; and the bot's memory."""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import PROJECT, Row, peak_mb, resident_mb
from sized import registry_of, sentences
from wire_load import loaded

ROUNDS = 5


def run() -> list[Row]:
    """In int8 and in fp32, as people start it."""
    rows = []
    for precision, most_mb in (("int8", 350), ("fp32", 650)):
        seconds, resident, peak = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            registry_of(Path(folder), precision=precision)
            for _ in range(ROUNDS):
                took, held, most = asyncio.run(_first_answer(Path(folder), precision))
                seconds.append(took)
                resident.append(held)
                peak.append(most)
        rows.append(Row(f"start to first answer, {precision}", statistics.median(seconds), "s", limit=2.5))
        note = f"most while starting: {max(peak):.0f} MB"
        rows.append(
            Row(
                f"memory of the bot, {precision}", statistics.median(resident), "MB", limit=most_mb, note=note
            )
        )
    rows.append(Row("import bot.app", _import_s(), "s", note="of the start"))
    return rows


async def _first_answer(home: Path, precision: str) -> tuple[float, float, float]:
    began = time.perf_counter()
    async with loaded(precision=precision, home=home) as load:
        answer = load.ask(sentences(1, seed=1)[0])
        await load.settled([answer])
        assert answer.is_answer
        seconds = answer.replied_at - began
        await load.at_rate(sentences(60, seed=2), 20)
        pid = load.process.pid
        return seconds, resident_mb(pid), peak_mb(pid)


def _import_s() -> float:
    command = [sys.executable, "-c", "import bot.app"]
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(command, cwd=PROJECT, check=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
