"""`draw`: one plot for the bot, from a JSON object on standard input to a PNG on standard output.

A subprocess of the bot: private data arrive on standard input, not as arguments, and errors are reported as
one JSON line.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from storage.sentences import Language, Sentence
from training.cli.output import Commands, for_the_bot
from training.errors import NotPlottableError, RegistryError
from training.registry.factory import current_registry
from training.registry.versions import TRAINING_LOG
from training.settings import Settings


def add(commands: Commands) -> None:
    """Declare the command."""
    sub = commands.add("draw", _draw, "draw the plot in a JSON object on standard input (for the bot)")
    sub.set_defaults(progress="json")


def _draw(options: argparse.Namespace, settings: Settings) -> int:
    for_the_bot()
    try:
        wanted = json.loads(sys.stdin.buffer.read())
        draw = KINDS[wanted["kind"]]
    except (ValueError, KeyError, TypeError) as error:
        raise NotPlottableError("there is no such kind of plot", f"Kinds: {', '.join(KINDS)}.") from error
    sys.stdout.buffer.write(draw(wanted, settings))
    return 0


def _scores(wanted: dict[str, Any], settings: Settings) -> bytes:
    """Best and worst words of `versions` for `text`; all but the first may be missing or damaged."""
    from training.inference.fill_model import FillModel
    from training.inference.loading import served_folder
    from training.reports.plots.style import in_style, png
    from training.reports.plots.words import Extremes, extremes, words_figure

    registry = current_registry(settings)
    first, *others = wanted["versions"]
    champion = Sentence("{version}, the champion", version=first)
    models: dict[str, Sequence[Extremes]] = {
        champion: extremes(FillModel(served_folder(registry, first)), wanted["text"])
    }
    for version in others:
        try:
            before = extremes(FillModel(served_folder(registry, version)), wanted["text"])
            models[Sentence("{version}, before it", version=version)] = before
        except RegistryError:  # pruned or damaged: the plot shows the champion alone
            continue
    with in_style(_language_of(wanted)):
        return png(words_figure(wanted["text"], models))


def _report(wanted: dict[str, Any], settings: Settings) -> bytes:
    """Training and evaluation of a version."""
    from training.reports.plots.run_report import RunFigures, run_report_figure
    from training.reports.plots.style import in_style, png
    from training.reports.plots.training_log import read_log

    figures = RunFigures.from_json(wanted)
    log: list[dict[str, Any]] = []
    with contextlib.suppress(RegistryError, NotPlottableError):  # only domain models have a log
        log = read_log(current_registry(settings).path(figures.version) / TRAINING_LOG)
    with in_style(_language_of(wanted)):
        return png(run_report_figure(figures, log))


def _stats(wanted: dict[str, Any], settings: Settings) -> bytes:
    """Votes per day, and the share of 👍 of each version."""
    from training.reports.plots.style import in_style, png
    from training.reports.plots.vote_stats import VoteStats, vote_stats_figure

    with in_style(_language_of(wanted)):
        return png(vote_stats_figure(VoteStats.from_json(wanted)))


def _language_of(wanted: dict[str, Any]) -> Language:
    return Language(**wanted.get("language", {}))


KINDS = {"scores": _scores, "report": _report, "stats": _stats}
