"""`simulate`: nightly runs on the votes of a simulated team, through the real pipeline."""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from training.cli.output import COUNT, SEED, Commands, number
from training.progress import TerminalProgress
from training.settings import NightSettings, Settings

SETTINGS = ("queries", "test", "texts", "voters", "flips", "nights", "votes", "loss", "seed")  # in the output


def add(commands: Commands) -> None:
    """Declare the command."""
    simulation = commands.add("simulate", _simulate, "nightly runs that learn from a simulated team's votes")
    suite = "JSON lines: text, wanted, unwanted, category"
    simulation.add_argument(
        "--queries",
        type=Path,
        required=True,
        metavar="FILE",
        help=f"queries that people ask and vote on; {suite}",
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
    simulation.add_argument("--voters", type=COUNT, default=5, help="people, who all vote (default 5)")
    simulation.add_argument(
        "--flips", type=number(float, 0, 1), default=0.1, help="share of votes that are wrong (default 0.1)"
    )
    simulation.add_argument("--nights", type=COUNT, default=3, help="number of nightly runs (default 3)")
    simulation.add_argument(
        "--votes",
        choices=("menu", "top1"),
        default="menu",
        help="menu: on all words shown; top1: a thumb on the top word (default menu)",
    )
    simulation.add_argument(
        "--loss", default="ours", help="how nights train; others are in tests/benchmarks/losses.py"
    )
    simulation.add_argument("--seed", type=SEED, default=0, help="of wrong votes and training (default 0)")
    simulation.add_argument(
        "--home", type=Path, metavar="FOLDER", help="where to keep all files; default: a temporary folder"
    )
    simulation.add_argument(
        "--cases", action="store_true", help="with --json: the figures of every test sentence as well"
    )


def _simulate(options: argparse.Namespace, settings: Settings) -> int:
    from training.evaluation.metrics import SUITES, read_suite, read_texts

    queries = tuple(read_suite(options.queries))
    tests = tuple(case for path in options.test for case in read_suite(path))
    texts = tuple(read_texts(options.texts or SUITES / "texts.jsonl"))
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
    with closing(TerminalProgress()) as progress, home_of(settings, options.home) as own:
        simulation = Simulation(own, plan, progress)
        rows = [simulation.before, *simulation.nights()]
    if options.json:
        chosen = {name: getattr(options, name) for name in SETTINGS} | {"base": settings.base_model}
        sys.stdout.write(json.dumps({"settings": chosen, "nights": rows}, default=str) + "\n")
    else:
        sys.stdout.write(table_of(rows))
    return 0
