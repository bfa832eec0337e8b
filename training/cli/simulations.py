"""`simulate`: nightly runs on the votes of a simulated team, through the real pipeline."""

import argparse
import json
import re
import sys
from contextlib import closing
from pathlib import Path

from training.cli.output import COUNT, SEED, Commands, number
from training.progress import TerminalProgress
from training.settings import NightSettings, Settings

# In the output. `votes` and `voters` stay in it for tables that are grouped by them.
SETTINGS = (
    "queries", "asked", "a_day", "test", "texts", "people", "voters", "votes", "taste", "forget", "flips",
    "nights", "loss", "seed",
)  # fmt: skip


def add(commands: Commands) -> None:
    """Declare the command."""
    simulation = commands.add("simulate", _simulate, "nightly runs that learn from a simulated team's votes")
    suite = "JSON lines: text, wanted, unwanted, category"
    simulation.add_argument(
        "--queries",
        type=Path,
        required=True,
        action="append",
        metavar="FILE",
        help=f"queries that people ask and vote on; {suite}; repeat the option for more files",
    )
    simulation.add_argument(
        "--asked", type=number(int, 1, 100_000), metavar="N", help="only the first N queries (default: all)"
    )
    simulation.add_argument(
        "--a-day",
        type=number(int, 1, 100_000),
        metavar="N",
        help="ask N of the queries each day, drawn by the seed (default: all, every day)",
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
    simulation.add_argument(
        "--people",
        metavar="HABIT:NUMBER[@NIGHTS],…",
        help="who votes, such as menu:5,lazy:1,raid:10@3 (nights: 3, 3-, -14 or 3-14). menu: on all words "
        "shown; top1: a thumb on the top word; glance: on the word at place r with probability 1/r; rare: on "
        "one reply in ten; lazy: likes every top word; raid: the opposite on all words; flood: the same a "
        "thousand times a night (default: VOTES:VOTERS)",
    )
    simulation.add_argument(
        "--voters", type=COUNT, default=5, help="short for --people VOTES:VOTERS (default 5)"
    )
    simulation.add_argument(
        "--votes", choices=("menu", "top1"), default="menu", help="their habit (default menu)"
    )
    simulation.add_argument(
        "--taste",
        type=_taste,
        action="append",
        default=[],
        metavar="FILE|random:SEED[@NIGHT]",
        help="what the team likes among the words of the sentences; a file: JSON with wanted and unwanted "
        "words; random: half of the wanted words. Repeat the option for a taste that changes at a night",
    )
    simulation.add_argument(
        "--forget",
        type=_voter_at_night,
        action="append",
        default=[],
        metavar="VOTER@NIGHT",
        help="a voter who asks to be forgotten before that night; voters are 1, 2, … as in --people",
    )
    simulation.add_argument(
        "--flips", type=number(float, 0, 1), default=0.1, help="share of votes that are wrong (default 0.1)"
    )
    simulation.add_argument("--nights", type=COUNT, default=3, help="number of nightly runs (default 3)")
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
    from training.evaluation.metrics import read_suite, read_texts, suites_folder

    queries = tuple(case for path in options.queries for case in read_suite(path))
    tests = tuple(case for path in options.test for case in read_suite(path))
    texts = tuple(read_texts(options.texts or suites_folder() / "texts.jsonl"))
    from training.simulation.nights import Plan, Simulation, home_of
    from training.simulation.objectives import objective_named
    from training.simulation.people import People
    from training.simulation.table import table_of
    from training.simulation.taste import Taste

    options.people = options.people or f"{options.votes}:{options.voters}"
    plan = Plan(
        queries=queries[: options.asked],
        tests=tests,
        texts=texts,
        people=People.of(options.people, flips=options.flips),
        tastes={night: Taste.of(text, (*queries, *tests)) for text, night in options.taste},
        asked_a_day=options.a_day,
        forgotten=_by_night(options.forget),
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


def _taste(text: str) -> tuple[str, int]:
    """Parse a taste and its first night."""
    found = re.fullmatch(r"(?P<taste>.+?)(@(?P<night>[1-9]\d*))?", text)
    if found is None:
        raise argparse.ArgumentTypeError("expected random:SEED or a file, and perhaps @NIGHT")
    return found["taste"], int(found["night"] or 1)


def _voter_at_night(text: str) -> tuple[int, int]:
    """Parse a voter and a night."""
    found = re.fullmatch(r"(?P<voter>[1-9]\d*)@(?P<night>[1-9]\d*)", text)
    if found is None:
        raise argparse.ArgumentTypeError("expected VOTER@NIGHT, such as 5@20")
    return int(found["voter"]), int(found["night"])


def _by_night(forgotten: list[tuple[int, int]]) -> dict[int, list[int]]:
    """Night → voters."""
    return {night: [v for v, at in forgotten if at == night] for _, night in forgotten}
