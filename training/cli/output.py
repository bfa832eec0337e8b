"""Declare commands and print their results."""

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.sentences import TranslatableError, to_json
from training.errors import NoChampionError
from training.pipeline.outcome import Outcome
from training.progress import JsonProgress, Progress, TerminalProgress
from training.registry.factory import current_registry
from training.settings import Settings

if TYPE_CHECKING:
    from training.inference.fill_model import FillModel

BOT_REQUEST_LIMIT_S = 120  # for one request of the bot
Command = Callable[[argparse.Namespace, Settings], int]


class Commands:
    """The subcommands of a parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        self, name: str, command: Command, text: str, *, trains: bool = False, is_hidden: bool = False
    ) -> argparse.ArgumentParser:
        """Declare a command.

        One that trains shows progress and can be a subprocess of the bot; a hidden one is not in `--help`.
        """
        shown: dict[str, Any] = {} if is_hidden else {"help": text}  # `help=None` would still list it
        sub = self._subparsers.add_parser(name, description=text, **shown)
        sub.set_defaults(command=command)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        if trains:
            sub.add_argument("--progress", choices=("bar", "json"), default="bar", help="bars, or JSON lines")
            sub.add_argument("--end-with-parent", action="store_true", help="end when standard input closes")
        return sub


def fill_model_of(model: str | None, settings: Settings) -> "FillModel":
    """Load a version, or a folder with a model; None: the champion."""
    from training.inference.fill_model import FillModel
    from training.inference.loading import served_folder

    if model is not None and (folder := Path(model)).is_dir():
        if (folder / "model.onnx").exists():
            return FillModel(folder)
        from training.models.writing import export_base

        return export_base(folder)
    registry = current_registry(settings)
    version = model or registry.champion()
    if version is None:
        raise NoChampionError
    return FillModel(served_folder(registry, version))


def finish(options: argparse.Namespace, outcome: Outcome, **more: Any) -> int:
    """Print the outcome; `more` are further fields of the JSON object. Returns the exit code."""
    end = {"status": outcome.status, "version": outcome.version, **_said(outcome.sentence)}
    if options.json:
        print_json(end | more)
    elif getattr(options, "progress", "bar") == "json":
        progress_of(options).event("finished", **end)
    else:
        sys.stdout.write(outcome.sentence + "\n")
    return 0


def fail(options: argparse.Namespace, reason: TranslatableError | str) -> int:
    """Print why a command failed. Returns the exit code."""
    is_child = getattr(options, "end_with_parent", False)
    if is_child or getattr(options, "progress", "bar") == "json":
        JsonProgress(sys.stdout).event("failed", **_said(reason))
    if not (is_child and options.progress == "bar"):  # the parent prints the sentence itself
        sys.stderr.write(f"{reason}\n")
    return 1


def _said(what: TranslatableError | str) -> dict[str, Any]:
    """Return the English sentence, and what the bot needs to translate it."""
    return {"sentence": str(what), "said": to_json(what)}


def progress_of(options: argparse.Namespace) -> Progress:
    """Return the progress that the options ask for: bars, or JSON lines."""
    return JsonProgress(sys.stdout) if options.progress == "json" else TerminalProgress()


def limit_for_the_bot() -> None:
    """Limit the run time, should the bot disappear, and lower the priority below the bot's."""
    signal.alarm(BOT_REQUEST_LIMIT_S)
    os.nice(10)


def print_json(value: Any) -> None:
    """Print one JSON object on a line."""
    sys.stdout.write(json.dumps(value) + "\n")


def number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], Any]:
    """Make a parser of numbers from `low` to `high`, as the `type` of an argument."""

    def parse(text: str) -> Any:
        with contextlib.suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        whole = "whole " if kind is int else ""
        raise argparse.ArgumentTypeError(f"expected a {whole}number from {low} to {high}")

    return parse


COUNT = number(int, 1, 1000)
SEED = number(int, 0, 2**32 - 1)  # as numpy takes it
