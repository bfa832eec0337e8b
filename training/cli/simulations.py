"""`simulate`: nightly runs on the votes of a simulated team, through the real pipeline."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from training.cli.measures import positive
from training.cli.output import Commands, print_json
from training.errors import SuiteError
from training.progress import TerminalProgress
from training.settings import NightSettings, Settings

if TYPE_CHECKING:
    from training.evaluation.metrics import Case


def add(commands: Commands) -> None:
    """Declare the command."""
    simulation = commands.add("simulate", _simulate, "nightly runs that learn from a simulated team's votes")
    suite = "JSON lines: text, wanted, unwanted, category"
    simulation.add_argument(
        "--queries", type=Path, required=True, metavar="FILE", help=f"what people ask and vote on; {suite}"
    )
    simulation.add_argument(
        "--test",
        type=Path,
        required=True,
        action="append",
        metavar="FILE",
        help=f"queries without votes, to evaluate versions on; {suite}; repeat the option for more files",
    )
    simulation.add_argument(
        "--texts",
        type=Path,
        metavar="FILE",
        help="JSON lines: text; for the pseudo-perplexity (default: those that ship with the project)",
    )
    simulation.add_argument("--voters", type=positive, default=5, help="people, who all vote (default 5)")
    simulation.add_argument(
        "--flips", type=_share, default=0.1, help="share of votes that are wrong (default 0.1)"
    )
    simulation.add_argument("--nights", type=positive, default=3, help="default 3")
    simulation.add_argument(
        "--votes",
        choices=("menu", "top1"),
        default="menu",
        help="menu: on all words shown; top1: a thumb on the top word (default menu)",
    )
    simulation.add_argument(
        "--loss", default="ours", help="how nights train; others are in tests/benchmarks/losses.py"
    )
    simulation.add_argument(
        "--seed", type=_seed, default=0, help="of wrong votes and of training (default 0)"
    )
    simulation.add_argument(
        "--home", type=Path, metavar="FOLDER", help="keep everything there; default: a temporary folder"
    )
    simulation.add_argument(
        "--cases", action="store_true", help="with --json: the figures of every test sentence as well"
    )


def _simulate(options: argparse.Namespace, settings: Settings) -> int:
    from training.evaluation.metrics import SUITES, read_texts

    queries = _cases(options.queries)
    tests = tuple(case for path in options.test for case in _cases(path))
    path = options.texts or SUITES / "texts.jsonl"
    texts = tuple(read_texts(path))
    if not texts:
        raise SuiteError(path, "it is empty")
    from training.simulation.nights import Plan, Simulation, home_of
    from training.simulation.objectives import objective_named
    from training.simulation.people import People
    from training.simulation.table import table_of

    plan = Plan(
        queries=queries,
        tests=tests,
        texts=texts,
        people=People(options.voters, options.flips, options.votes),
        nights=options.nights,
        night=NightSettings(seed=options.seed),
        objective=objective_named(options.loss),
        with_cases=options.cases,
    )
    progress = TerminalProgress()
    with home_of(settings, options.home) as own:
        simulation = Simulation(own, plan, progress)
        rows = [simulation.before, *simulation.nights()]
    progress.close()
    if options.json:
        print_json({"settings": _settings_of(options, settings), "nights": rows})
    else:
        sys.stdout.write(table_of(rows))
    return 0


def _cases(path: Path) -> tuple["Case", ...]:
    from training.evaluation.metrics import read_suite

    cases = tuple(read_suite(path))
    if not cases:
        raise SuiteError(path, "it is empty")
    return cases


def _settings_of(options: argparse.Namespace, settings: Settings) -> dict[str, object]:
    """The settings of the simulation, for the JSON output."""
    return {
        "queries": str(options.queries),
        "test": [str(path) for path in options.test],
        "texts": None if options.texts is None else str(options.texts),
        "voters": options.voters,
        "flips": options.flips,
        "nights": options.nights,
        "votes": options.votes,
        "loss": options.loss,
        "seed": options.seed,
        "base": settings.base_model,
    }


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("expected a number from 0 to 1")
    return share


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError("expected a whole number from 0, below 2³²")
    return int(text)
