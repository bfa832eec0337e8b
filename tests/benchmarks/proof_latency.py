"""How much slower an answer is while two versions answer, over the wire, on models of distilbert's size.

    PYTHONPATH=.:tests:tests/benchmarks python tests/benchmarks/proof_latency.py
    PYTHONPATH=.:tests:tests/benchmarks python tests/benchmarks/proof_latency.py --queries 50 --precision fp32

One query follows the other. With and without the challenger take turns, so that a busy machine
slows both.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sized import registry_of, sentences
from support.wire import eventually, wired

from storage import runs as run_records

ASKED_BY_ONE = 20


async def measure(home: Path, *, queries: int) -> dict[str, float]:
    """Return the median answer in ms, alone and together."""
    async with wired(home, promotion="proof", rollback_check_every_s=3600) as wire:
        database, now, predictor = wire.app.database, datetime.now(UTC), wire.app.follower.predictor
        run_id = await run_records.open_run(
            database, "nightly", started_at=now, champion="v0001", challenger="v0002"
        )
        await run_records.finish_run(database, run_id, "proving", finished_at=now)

        async def is_loaded() -> bool:
            return predictor.challenger is not None

        await eventually(is_loaded)
        challenger = predictor.challenger
        took_ms: dict[str, list[float]] = {"alone": [], "together": []}
        texts = sentences(2 * queries, seed=3)
        for first in range(0, len(texts), ASKED_BY_ONE):
            async with wire.member() as person:  # a person may ask so often and no more
                for number, text in enumerate(texts[first : first + ASKED_BY_ONE]):
                    name = ("alone", "together")[number % 2]
                    predictor.challenger = challenger if name == "together" else None
                    started = time.perf_counter()
                    reply = await wire.say(person, f"!fill {text}")
                    took_ms[name].append((time.perf_counter() - started) * 1000)
                    assert reply["embeds"], reply["content"]
        predictor.challenger = challenger
    return {name: statistics.median(values[queries // 10 :]) for name, values in took_ms.items()}


def main() -> None:
    """Print both medians and their ratio."""
    parser = argparse.ArgumentParser(description="Time answers of one and of two versions.")
    parser.add_argument("--queries", type=int, default=200, help="queries of each kind")
    parser.add_argument("--precision", choices=("int8", "fp32"), default="int8")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        registry_of(Path(name), precision=options.precision, versions=2)
        found = asyncio.run(measure(Path(name), queries=options.queries))
    ratio = found["together"] / found["alone"]
    print(  # noqa: T201  what it is for
        f"{options.precision}: {found['alone']:.1f} ms alone, {found['together']:.1f} ms together: "
        f"{ratio:.2f} × as slow"
    )


if __name__ == "__main__":
    main()
