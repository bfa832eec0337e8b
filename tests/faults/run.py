"""`make faults`: every fault as often as it says, and one table.

    python tests/faults/run.py --seed 7 --only wire,disk --times 3
    python tests/faults/run.py --seed 7 --only "gateway closed" --try 12      one try again, as it was

Ends with 1 when anything was lost, half-promoted or wrongly answered, or took too long.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

import faults.all_faults  # noqa: E402, F401  the path comes first; importing names them
from faults.trials import FAULTS, Fault, Row, chance, table  # noqa: E402
from support.homes import write_versions  # noqa: E402
from support.quiet import made_quiet  # noqa: E402


def main() -> int:
    """Run what is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="", help="groups or faults, separated by commas; all when empty")
    parser.add_argument("--times", type=int, help="tries of each fault, instead of its own number")
    parser.add_argument("--share", type=float, default=1.0, help="of the tries of each fault, at least one")
    parser.add_argument("--try", type=int, dest="number", help="this try alone")
    parser.add_argument("--log", type=Path, default=Path("faults.log"), help="where the bots' own lines go")
    options = parser.parse_args()
    wanted = {name.strip() for name in options.only.split(",") if name.strip()}
    if unknown := wanted - set(FAULTS) - {one.group for one in FAULTS.values()}:
        known = [*sorted({one.group for one in FAULTS.values()}), *FAULTS]
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [one for one in FAULTS.values() if not wanted or {one.name, one.group} & wanted]
    rows = []
    with tempfile.TemporaryDirectory(prefix="faults-") as name, options.log.open("a") as log, made_quiet(log):
        models = write_versions(Path(name) / "models")
        for one in chosen:
            numbers = (
                [options.number]
                if options.number is not None
                else range(options.times or max(1, round(one.times * options.share)))
            )
            rows.append(tried(one, list(numbers), seed=options.seed, models=models, folder=Path(name)))
    print(table(rows))  # noqa: T201
    return 0 if all(row.is_good for row in rows) else 1


def tried(one: Fault, numbers: list[int], *, seed: int, models: Path, folder: Path) -> Row:
    """Try a fault; an error inside a try is told, and the next one begins."""
    row, started = Row(one), time.perf_counter()
    for done, number in enumerate(numbers, start=1):
        home = folder / f"{one.group}-{number}"
        shutil.copytree(models, home / "models")
        try:
            row.found.append(asyncio.run(one.try_once(chance(seed, one.name, number), home)))
        except Exception:  # noqa: BLE001  told, counted, and on to the next
            row.broken.append(number)
            sys.stderr.write(f"\n{one.name}, seed {seed}, try {number}:\n{traceback.format_exc()}")
        finally:
            shutil.rmtree(home, ignore_errors=True)
        sys.stderr.write(f"\r{one.name}: {done} of {len(numbers)}, {time.perf_counter() - started:.0f} s")
        sys.stderr.flush()
    sys.stderr.write("\n" if row.is_good else "  ✗\n")
    return row


if __name__ == "__main__":
    sys.exit(main())
