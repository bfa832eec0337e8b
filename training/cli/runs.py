"""`init`, `run` and `domain`: what trains."""

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import get_args

from training.cli.output import Commands, fail, finish, progress_of
from training.pipeline.outcome import Outcome
from training.settings import DomainSettings, Settings


def add(commands: Commands) -> None:
    """Declare them."""
    commands.add("init", _init, "make the first version, if there is none", trains=True)
    domain = commands.add("domain", _domain, "train the team's domain model from the base", trains=True)
    domain.add_argument(
        "--recipe",
        choices=get_args(DomainSettings.model_fields["recipe"].annotation),
        default=DomainSettings().recipe,
        help="full: the whole corpus; curated: UpTrain's edge cases five times over besides, both poles told "
        "apart; curated-only: the edge cases alone, for comparison (default: %(default)s)",
    )
    domain.add_argument(
        "files", nargs="*", type=Path, metavar="CSV", help="further files of the team's texts"
    )
    domain.add_argument("--text-column", help="the column to read of those; default: guessed by its name")
    domain.add_argument("--epochs", type=_epochs, help="passes over the texts at most")
    domain.add_argument(
        "--seed", type=_seed, default=0, help="of generated text, order and masks (default 0)"
    )
    run = commands.add("run", _run, "learn from the votes, and promote what passes the gate", trains=True)
    run.add_argument(
        "--trigger", choices=("nightly", "retrain", "forget", "cli"), default="cli", help="who asked for it"
    )
    run.add_argument(
        "--unless-since",
        type=datetime.fromisoformat,
        metavar="TIME",
        help="end at once where such a run began since then, on another machine",
    )


def _init(options: argparse.Namespace, settings: Settings) -> int:
    from training.pipeline.run import run_init

    return finish(options, run_init(settings, progress_of(options)))


def _run(options: argparse.Namespace, settings: Settings) -> int:
    if settings.submits_runs:
        from training.distributed.ray.submitting import submit

        return finish(options, submit(settings, ("run", "--trigger", options.trigger), progress_of(options)))
    from training.pipeline.run import run_night

    outcome = run_night(
        settings, progress_of(options), trigger=options.trigger, unless_since=options.unless_since
    )
    return finish(options, outcome)


def _domain(options: argparse.Namespace, settings: Settings) -> int:
    if options.text_column and not options.files:
        return fail(options, "--text-column says how to read the CSV files that are named: name one.")
    outcome = _submitted(options, settings) if settings.submits_runs else _trained(options, settings)
    if not options.json and options.progress == "bar":
        from training.domain.summary import format_report

        sys.stdout.write(f"{format_report(outcome.report)}\n\n")
    return finish(options, outcome, report=outcome.report)


def _trained(options: argparse.Namespace, settings: Settings) -> Outcome:
    from training.pipeline.run import run_domain

    chosen = {"recipe": options.recipe, "seed": options.seed}
    if options.epochs is not None:
        chosen["epochs"] = options.epochs
    return run_domain(
        settings,
        progress_of(options),
        trigger="domain",
        domain=DomainSettings(**chosen),
        extra=options.files,
        text_column=options.text_column,
    )


def _submitted(options: argparse.Namespace, settings: Settings) -> Outcome:
    from training.distributed.ray.submitting import submit

    command = ["domain", "--recipe", options.recipe, "--seed", str(options.seed)]
    if options.epochs is not None:
        command += ["--epochs", str(options.epochs)]
    if options.text_column:
        command += ["--text-column", options.text_column]
    files = [str(path.absolute()) for path in options.files]
    return submit(settings, (*command, "--", *files) if files else tuple(command), progress_of(options))


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError("expected a whole number from 0, below 2³²")
    return int(text)


def _epochs(text: str) -> float:
    try:
        epochs = float(text)
    except ValueError:
        epochs = 0.0
    if not 0 < epochs <= 100:
        raise argparse.ArgumentTypeError("expected a number above 0, and at most 100")
    return epochs
