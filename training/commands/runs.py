"""`init`, `run` and `domain`: what trains."""

import argparse

from training.commands.answers import Commands, finish, progress_of
from training.settings import Settings


def add(commands: Commands) -> None:
    """Declare them."""
    commands.add("init", _init, "make the first version, if there is none", trains=True)
    commands.add("domain", _domain, "train the team's domain model from the base", trains=True)
    run = commands.add("run", _run, "learn from the votes, and promote what passes the gate", trains=True)
    run.add_argument(
        "--trigger", choices=("nightly", "retrain", "cli"), default="cli", help="who asked for it"
    )


def _init(options: argparse.Namespace, settings: Settings) -> int:
    from training.pipeline import run_init

    return finish(options, run_init(settings, progress_of(options)))


def _run(options: argparse.Namespace, settings: Settings) -> int:
    from training.pipeline import run_night

    return finish(options, run_night(settings, progress_of(options), trigger=options.trigger))


def _domain(options: argparse.Namespace, settings: Settings) -> int:
    from training.pipeline import run_domain

    return finish(options, run_domain(settings, progress_of(options), trigger="domain"))
