"""A whole night on 1,000 judgements, by step, at distilbert's size; on a GPU where there is one."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from measure import PROJECT, Row, device_name
from sized import IS_SMALL, registry_of, sentences

from storage.database import Database
from storage.votes.predictions import (
    NewPrediction,
    StoredCandidate,
    StoredVote,
    cast_votes,
    record_predictions,
)
from training.inference.encoder import query_hash
from training.inference.fill_model import FillModel

QUERIES, JUDGED_A_QUERY, REJECTED, VOTERS = 20 if IS_SMALL else 200, 5, 2, 3


def run() -> list[Row]:
    """1,000 judged words: the five shown for each query, the best two rejected, by three people."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        registry = registry_of(home, precision="fp32")
        asyncio.run(vote(home, FillModel(registry.path("v0001"))))
        environment = {**os.environ, "FILLBOT_HOME": str(home), "PYTHONPATH": str(PROJECT)}
        command = [sys.executable, "-m", "training", "run", "--progress", "json", "--json"]
        steps: list[tuple[str, float]] = []
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line) if line.startswith("{") else {}
            if (step := told.get("step")) and (not steps or steps[-1][0] != step):
                steps.append((step, time.perf_counter()))
        ended = time.perf_counter()
        process.wait()
    rows = [
        Row(f"night: {name}", until - at, "s")
        for (name, at), (_, until) in zip(steps, [*steps[1:], ("", ended)], strict=True)
    ]
    return [
        *rows,
        Row(f"night: whole, {QUERIES * JUDGED_A_QUERY:,} judgements", ended - began, "s", note=device_name()),
    ]


async def vote(home: Path, model: FillModel, *, queries: int = QUERIES) -> None:
    """Store what three people think of the five words shown for each of some queries."""
    database = await Database.open(f"sqlite+aiosqlite:///{home}/fillbot.db")
    now = datetime.now(UTC) - timedelta(hours=1)
    texts = sentences(queries, seed=6)
    answers = [masks[0] for masks in model.fill(texts, top=5)]
    ids = await record_predictions(
        database,
        [
            NewPrediction(
                1, 2, 3, query, query_hash(query), "v0001", 1.0, now,
                tuple(StoredCandidate(0, rank, c.word, c.score, False) for rank, c in enumerate(words)),
            )
            for query, words in zip(texts, answers, strict=True)
        ],
    )  # fmt: skip
    await cast_votes(
        database,
        [
            StoredVote(prediction, 0, words[rank].word, voter, "menu", -1 if rank < REJECTED else 1, now)
            for prediction, words in zip(ids, answers, strict=True)
            for rank in range(JUDGED_A_QUERY)
            for voter in range(VOTERS)
        ],
    )
    await database.close()
