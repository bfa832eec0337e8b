"""What commands have in common: how they are declared, and how they answer."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import NoChampionError
from training.pipeline.outcome import Outcome
from training.progress import JsonProgress, Progress, TerminalProgress
from training.registry.factory import current_registry
from training.settings import Settings

if TYPE_CHECKING:
    from training.inference.fill_model import FillModel

ASKED_LIMIT_S = 120  # for a question of the bot's
Command = Callable[[argparse.Namespace, Settings], int]


class Commands:
    """The subcommands of a parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(self, name: str, command: Command, text: str, *, trains: bool = False) -> argparse.ArgumentParser:
        """Declare one; those that train show progress, and can be a child of the bot."""
        sub = self._subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        if trains:
            sub.add_argument("--progress", choices=("bar", "json"), default="bar", help="bars, or JSON lines")
            sub.add_argument("--end-with-parent", action="store_true", help="end when standard input closes")
        return sub


def fill_model_of(model: str | None, settings: Settings) -> "FillModel":
    """A version, or any folder with a model; the champion when None."""
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
    """Print the outcome; `more` stands beside it in the JSON object. Returns the exit code."""
    if options.json:
        end = {"status": outcome.status, "version": outcome.version, "sentence": outcome.sentence}
        print_json({**end, **more})
    elif getattr(options, "progress", "bar") == "json":
        progress_of(options).event(
            "finished", status=outcome.status, version=outcome.version, sentence=outcome.sentence
        )
    else:
        sys.stdout.write(outcome.sentence + "\n")
    return 0


def fail(options: argparse.Namespace, sentence: str) -> int:
    """Say in one sentence what went wrong. Returns the exit code."""
    is_child = getattr(options, "end_with_parent", False)
    if is_child or getattr(options, "progress", "bar") == "json":
        JsonProgress(sys.stdout).event("failed", sentence=sentence)
    if not (is_child and options.progress == "bar"):  # there the parent says it, as its last line
        sys.stderr.write(sentence + "\n")
    return 1


def progress_of(options: argparse.Namespace) -> Progress:
    """Bars, or JSON lines."""
    return JsonProgress(sys.stdout) if options.progress == "json" else TerminalProgress()


def for_the_bot() -> None:
    """End by itself in a while, whatever becomes of the bot; and let people who ask meanwhile go first."""
    signal.alarm(ASKED_LIMIT_S)
    os.nice(10)


def print_json(value: Any) -> None:
    """One JSON object on a line."""
    sys.stdout.write(json.dumps(value) + "\n")
