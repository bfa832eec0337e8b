"""`make fuzz`: a million inputs, and one table.

    python tests/fuzz/run.py --seed 7
    python tests/fuzz/run.py --seed 8 --only queries,registry --share 0.1

Ends with 1 when something was wrong with an input: the least one that hypothesis finds is printed.
"""

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

import fuzz.all_targets  # noqa: E402  the path comes first; importing names them
from fuzz.targets import TARGETS, Target, fuzz  # noqa: E402
from support.homes import write_versions  # noqa: E402
from support.quiet import made_quiet  # noqa: E402

HEAD = ("target", "inputs", "failed", "seconds", "checked")


def main() -> int:
    """Fuzz what is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="", help="targets, separated by commas; all when empty")
    parser.add_argument("--share", type=float, default=1.0, help="of the inputs that each target gets")
    parser.add_argument("--log", type=Path, default=Path("fuzz.log"), help="where the bot's own lines go")
    options = parser.parse_args()
    wanted = [name.strip() for name in options.only.split(",") if name.strip()] or list(TARGETS)
    if unknown := set(wanted) - set(TARGETS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    lines = [HEAD]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name, options.log.open("a") as log, made_quiet(log):
        models = write_versions(Path(name) / "models")
        for one in map(TARGETS.__getitem__, wanted):
            home = Path(name) / "home"
            shutil.copytree(models, home / "models")
            lines.append(fuzzed(one, home, inputs=round(one.inputs * options.share), seed=options.seed))
            shutil.rmtree(home)
    lines.append(("all", f"{sum(int(line[1].replace(',', '')) for line in lines[1:]):,}", "", "", ""))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())  # noqa: T201
    return 1 if any(line[2] == "✗" for line in lines) else 0


def fuzzed(one: Target, home: Path, *, inputs: int, seed: int) -> tuple[str, ...]:
    """Fuzz a target; what is wrong is told, and the next one begins."""
    started, given, failed = time.perf_counter(), inputs, ""
    try:
        with one.opened(home) as check:
            given = fuzz(one, check, inputs=inputs, seed=seed)
    except BaseException as error:  # told, counted, and on to the next
        if isinstance(error, KeyboardInterrupt):
            raise
        failed = "✗"
        sys.stderr.write(f"\n{one.name}, seed {seed}:\n{traceback.format_exc()}")
    taken_s = time.perf_counter() - started
    sys.stderr.write(f"{one.name}: {given:,} in {taken_s:.0f} s {failed}\n")
    return one.name, f"{given:,}", failed, f"{taken_s:.0f}", one.checked


if __name__ == "__main__":
    sys.exit(main())
