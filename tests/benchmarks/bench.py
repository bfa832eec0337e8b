"""`make bench`: every figure of docs/performance.md, side by side in one run.

    python tests/benchmarks/bench.py --only serving,wire --out bench.json

One table: what, ours, the alternative, how many times better, the limit, ours over the limit. Weights are
random and of distilbert-base-uncased's size; nothing is pretended. Times are medians; what is compared is
taken in turn. Run it on a machine that does nothing else.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]

from measure import Row, device_name, table  # noqa: E402  the path comes first


def parts() -> dict[str, Callable[[], list[Row]]]:
    """By name, in order."""
    import bases
    import channel_load
    import checking
    import cluster_ray
    import cluster_votes
    import devices
    import nights
    import serving
    import starting
    import storing
    import training_speed
    import wire_load

    return {
        "serving": serving.run,
        "agreement": serving.agreement_rows,
        "bases": bases.run,
        "wire": wire_load.wire,
        "busy": wire_load.busy,
        "reload": wire_load.reload,
        "channels": channel_load.run,
        "start": starting.run,
        "votes": storing.run,
        "postgres": cluster_votes.run,
        "replicas": cluster_ray.replicas,
        "workers": cluster_ray.workers,
        "checks": checking.run,
        "training": training_speed.run,
        "night": nights.run,
        "devices": devices.run,
    }


def main() -> None:
    """Run the parts that are asked for, each in a process of its own, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="parts, separated by commas; all when empty")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--small", action="store_true", help="tiny weights: only to see that it runs")
    options = parser.parse_args()
    if options.small:
        os.environ["BENCH_SMALL"] = "1"
    known = parts()
    if options.part:
        print(json.dumps([row.to_json() for row in known[options.part]()]))  # noqa: T201
        return
    chosen = [name for name in options.only.split(",") if name] or list(known)
    if unknown := set(chosen) - set(known):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    found: dict[str, list[Row]] = {}
    for number, name in enumerate(chosen, start=1):
        sys.stderr.write(f"{number} of {len(chosen)}: {name} …\n")
        started = time.perf_counter()
        command = [sys.executable, str(HERE / "bench.py"), "--part", name]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows = json.loads(ended.stdout.splitlines()[-1])
        found[name] = [Row(**{key: row[key] for key in Row.__dataclass_fields__}) for row in rows]
        sys.stderr.write(f"{table(found[name])}{time.perf_counter() - started:.0f} s\n")
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "device": device_name(),
        "python": platform.python_version(),
    }
    rows_json = {name: [row.to_json() for row in rows] for name, rows in found.items()}
    options.out.write_text(json.dumps({"machine": machine, "parts": rows_json}, indent=1) + "\n")
    print(table([row for rows in found.values() for row in rows]))  # noqa: T201


if __name__ == "__main__":
    main()
