"""The rest of what comes from outside: a child's lines, and any text on its way to the database."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fuzz.hostile import ids, json_values, texts, words
from fuzz.targets import Check, opened_target, target
from hypothesis import strategies as st

from bot.subprocesses.training_process import LINE_LIMIT, follow
from storage.database import Database
from storage.votes.menu_votes import ratable
from storage.votes.predictions import NewPrediction, StoredCandidate, record_predictions
from training.inference.encoder import MASK
from training.inference.vocabulary import is_word

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Child:
    """A process that has written something, and ended."""

    def __init__(self, written: bytes) -> None:
        self.stdout = asyncio.StreamReader(limit=LINE_LIMIT)
        self.stdout.feed_data(written)
        self.stdout.feed_eof()

    async def wait(self) -> int:
        return 0


LINES = (
    *(
        b'{"event": "progress", "step": "x", "done": 1, "total": 2}\n',
        b'{"sentence": 5}\n',
        b"\n",
        b"\r",
        b"\0",
        b"[" * 70_000,
    ),
    *(
        b'{"event":"opened","run_id":"x"}\n',
        b"x" * (LINE_LIMIT + 5),
        b"9" * 5000,
        b'"\xff"\n',
        b'{"a":' * 9000,
        b"{}\n",
        b"null\n",
    ),
)
written = st.lists(
    st.sampled_from(LINES) | st.binary(max_size=20) | json_values.map(lambda v: json.dumps(v).encode()),
    max_size=5,
)


@opened_target("a child's lines", checked="read to the end; a dict or nothing", inputs=20_000, pieces=written)
@contextlib.contextmanager
def child_followed(folder: Path) -> Iterator[Check]:
    with asyncio.Runner() as runner:

        def check(pieces: list[bytes]) -> None:
            async def read() -> None:
                told: list[Any] = []
                last = b'\n{"sentence": "the last line"}\n'
                child: Any = Child(b"".join(pieces) + last)
                assert await follow(child, told.append) == 0
                assert all(isinstance(line, dict) for line in told)
                assert told[-1:] == [{"sentence": "the last line"}]

            runner.run(read())

        yield check


@target("words", checked="a suggested word can be stored and offered", inputs=25_000, word=words)
def suggested(word: str) -> None:
    if is_word(word):
        word.encode()
        assert word == word.strip()
        assert "\0" not in word


@opened_target(
    "storage",
    checked="what was stored is what is read",
    inputs=5_000,
    quick=40,
    query=texts,
    word=words,
    asker_id=ids,
)
@contextlib.contextmanager
def stored(folder: Path) -> Iterator[Check]:
    with asyncio.Runner() as runner:
        database = runner.run(Database.open(f"sqlite+aiosqlite:///{folder / 'fuzz.db'}"))

        def check(query: str, word: str, asker_id: int) -> None:
            word, query = (one.encode(errors="replace").decode() for one in (word, query))
            new = NewPrediction(
                guild_id=None,
                channel_id=asker_id,
                asker_id=asker_id,
                query=f"{query} {MASK}",
                query_hash="0" * 32,
                model_version="v0001",
                latency_ms=1.0,
                created_at=NOON,
                candidates=(StoredCandidate(0, 0, word, 0.5, False),),
                quiz_at=None,
            )

            async def store() -> None:
                (number,) = await record_predictions(database, [new])
                found = await ratable(database, number)
                assert found is not None
                assert (found.channel_id, found.words) == (asker_id, ((0, word),))

            runner.run(store())

        try:
            yield check
        finally:
            runner.run(database.close())
