"""Declare `draw` and `inspect`, which the bot calls: a plot, or the ranks of words.

The bot starts a subprocess for each request. Private data arrive as a JSON object on standard input, not as
arguments.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from storage.sentences import Language, Sentence
from training.cli.output import Commands, fail, limit_for_the_bot, print_json
from training.errors import NotPlottableError, RegistryError
from training.registry.factory import current_registry
from training.registry.versions import TRAINING_LOG
from training.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_BYTES = 1 << 16  # of a request for ranks


def add(commands: Commands) -> None:
    """Declare the commands."""
    draw = commands.add("draw", _draw, "draw the plot in a JSON object on standard input (for the bot)")
    draw.set_defaults(progress="json")
    text = "ranks of words in a query under several versions: reads and prints a JSON object (for the bot)"
    commands.add("inspect", _inspect, text)
    commands.add("look", _inspect, text, is_hidden=True)  # its former name


def _draw(options: argparse.Namespace, settings: Settings) -> int:
    limit_for_the_bot()
    from training.reports.plots import style

    try:
        wanted = json.loads(sys.stdin.buffer.read())
        figure_of = KINDS[wanted["kind"]]
    except (ValueError, KeyError, TypeError) as error:
        raise NotPlottableError("there is no such kind of plot", f"Kinds: {', '.join(KINDS)}.") from error
    with style.in_style(Language(**wanted.get("language", {}))):
        sys.stdout.buffer.write(style.png(figure_of(wanted, settings)))
    return 0


def _scores(wanted: dict[str, Any], settings: Settings) -> "Figure":
    """Best and worst words of `versions` for `text`; all but the first may be missing or damaged."""
    from training.inference.fill_model import FillModel
    from training.inference.loading import served_folder
    from training.reports.plots.words import words_figure, words_of

    registry = current_registry(settings)
    models: dict[str, FillModel] = {}
    for version in wanted["versions"]:
        try:
            found = FillModel(served_folder(registry, version), threads=1)
        except RegistryError:  # pruned or damaged: the plot shows the champion alone
            if not models:
                raise
            continue
        champion = Sentence("{version}, the champion", version=version)
        models[Sentence("{version}, before it", version=version) if models else champion] = found
    rejected = [(int(mask), str(word)) for mask, word in wanted.get("rejected", ())]
    labels = [*reversed(models)]  # the last one is explained
    masks = words_of(
        [models[label] for label in labels],
        wanted["text"],
        rejected=rejected,
        unwanted=settings.word_lists == "prior",
    )
    return words_figure(wanted["text"], labels, masks)


def _report(wanted: dict[str, Any], settings: Settings) -> "Figure":
    """Training and evaluation of a version."""
    from training.reports.plots.run_report import RunFigures, run_report_figure
    from training.reports.plots.training_log import read_log

    figures = RunFigures.model_validate(wanted)
    log: list[dict[str, Any]] = []
    with contextlib.suppress(RegistryError, NotPlottableError):  # only domain models have a log
        log = read_log(current_registry(settings).path(figures.version) / TRAINING_LOG)
    return run_report_figure(figures, log)


def _stats(wanted: dict[str, Any], settings: Settings) -> "Figure":
    """Votes per day, and the share of 👍 of each version."""
    from training.reports.plots.vote_stats import VoteStats, vote_stats_figure

    return vote_stats_figure(VoteStats.model_validate(wanted))


KINDS: dict[str, Callable[[dict[str, Any], Settings], "Figure"]] = {
    "scores": _scores,
    "report": _report,
    "stats": _stats,
}


def _inspect(options: argparse.Namespace, settings: Settings) -> int:
    limit_for_the_bot()
    from training.reports.word_ranks import Request, word_ranks

    try:
        request = Request.model_validate_json(sys.stdin.buffer.read(MAX_BYTES))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return fail(options, f"The question cannot be read: {where + ': ' if where else ''}{first['msg']}.")
    print_json({"versions": word_ranks(current_registry(settings), settings.home / "runs", request)})
    return 0
