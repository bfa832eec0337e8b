"""The edge cases of a run whose file holds anything."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fuzz.more_targets import written
from fuzz.targets import Check, opened_target

from bot.features.quiz.ranking import edge_cases


@opened_target("a run's files", checked="hashes, or none", inputs=10_000, pieces=written)
@contextlib.contextmanager
def run_files_read(folder: Path) -> Iterator[Check]:
    path = folder / "runs" / "00001" / "uptrain" / "judgements.jsonl"
    path.parent.mkdir(parents=True)

    def check(pieces: list[bytes]) -> None:
        path.write_bytes(b"".join(pieces))
        assert edge_cases(folder / "runs") == frozenset()

    yield check
