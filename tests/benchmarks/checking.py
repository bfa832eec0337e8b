"""The UpTrain pass and the judgements: seconds, memory and growth."""

import re
import subprocess
import sys

import numpy as np
from measure import PROJECT, Row

VOTES = (10_000, 100_000, 1_000_000)


def run() -> list[Row]:
    """Each size in a process of its own, as a night has it."""
    rows, seconds = [], []
    for votes in VOTES:
        command = [sys.executable, "tests/benchmarks/votes.py", "--votes", str(votes)]
        out = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True).stdout
        found = re.search(r"check\s+([\d.]+) s, reading included, peak ([\d.]+) GB", out)
        assert found, out
        seconds.append(float(found[1]))
        is_most = votes == VOTES[-1]
        rows.append(
            Row(f"checks and judgements, {votes:,} votes", seconds[-1], "s", limit=60 if is_most else None)
        )
        rows.append(
            Row(f"their peak memory, {votes:,} votes", float(found[2]), "GB", limit=3 if is_most else None)
        )
    slope = float(np.polyfit(np.log(VOTES[1:]), np.log(seconds[1:]), 1)[0])
    rows.append(
        Row(
            "exponent of growth, checks", slope, "", limit=1.1, note="from 100,000 on; below, starting counts"
        )
    )
    return rows
