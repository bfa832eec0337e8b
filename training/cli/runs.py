"""`init`, `run` and `domain`, which train, and `serve`."""

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from training.cli.output import SEED, Commands, fail, finish, number, progress_of
from training.pipeline.outcome import Outcome
from training.progress import TerminalProgress
from training.settings import DomainSettings, Settings


def add(commands: Commands) -> None:
    """Declare the commands."""
    commands.add("init", _init, "make the first version, unless one exists", trains=True)
    domain = commands.add("domain", _domain, "train the team's domain model from the base", trains=True)
    domain.add_argument(
        "--recipe",
        choices=get_args(DomainSettings.model_fields["recipe"].annotation),
        default=DomainSettings().recipe,
        help="full: the whole corpus; curated: in addition five copies of UpTrain's edge cases, and the "
        "polarity of words; curated-only: only the edge cases, for comparison (default: %(default)s)",
    )
    domain.add_argument(
        "files", nargs="*", type=Path, metavar="CSV", help="further files of the team's texts"
    )
    domain.add_argument("--text-column", help="the column to read of those; default: guessed by its name")
    domain.add_argument("--epochs", type=number(float, 0.001, 100), help="passes over the texts at most")
    domain.add_argument("--seed", type=SEED, default=0, help="of generated text, order and masks (default 0)")
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
    run.add_argument(
        "--again",
        action="store_true",
        help="train even if the same votes, models and settings were judged before",
    )
    serve = commands.add("serve", _serve, "answer from replicas on a Ray cluster (FILLBOT_RAY_ADDRESS)")
    serve.add_argument("--host", default="127.0.0.1", help="address that its nodes listen on; 0.0.0.0: all")
    serve.add_argument("--port", type=int, default=8000, help="port of that address (default: 8000)")
    serve.add_argument("--stop", action="store_true", help="stop the service; bots then answer locally")


def _init(options: argparse.Namespace, settings: Settings) -> int:
    from training.pipeline.run import run_init

    return finish(options, run_init(settings, progress_of(options)))


def _run(options: argparse.Namespace, settings: Settings) -> int:
    if settings.submits_runs:
        from training.distributed.ray.submitting import submit

        command = ("run", "--trigger", options.trigger, *(["--again"] if options.again else []))
        return finish(options, submit(settings, command, progress_of(options)))
    from training.pipeline.run import run_night

    outcome = run_night(
        settings,
        progress_of(options),
        trigger=options.trigger,
        unless_since=options.unless_since,
        again=options.again,
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

    domain = DomainSettings(**_chosen(options, "recipe", "seed", "epochs"))
    return run_domain(
        settings,
        progress_of(options),
        trigger="domain",
        domain=domain,
        extra=options.files,
        text_column=options.text_column,
    )


def _submitted(options: argparse.Namespace, settings: Settings) -> Outcome:
    from training.distributed.ray.submitting import submit

    command = ["domain"]
    for name, value in _chosen(options, "recipe", "seed", "epochs", "text_column").items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    if options.files:
        command += ["--", *(str(path.absolute()) for path in options.files)]
    return submit(settings, tuple(command), progress_of(options))


def _chosen(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    from training.distributed.serving import deployment

    if options.stop:
        deployment.stop(settings)
        sys.stdout.write("The service is stopped.\n")
        return 0
    path = deployment.deploy(settings, TerminalProgress(), host=options.host, port=options.port)
    sys.stdout.write(
        f"The service answers on port {options.port} of every node that has a replica. "
        f"For the bots set FILLBOT_SERVING_URL=http://NODE:{options.port}{path}\n"
    )
    return 0
