"""`look`: ranks of words in one query under several versions. For the bot; people use `predict`."""

import argparse
import sys

from pydantic import ValidationError

from training.cli.output import Commands, fail, for_the_bot, print_json
from training.registry.factory import current_registry
from training.settings import Settings

MAX_BYTES = 1 << 16


def add(commands: Commands) -> None:
    """Declare the command."""
    commands.add(
        "look",
        _print_word_ranks,
        "ranks of words in a query under several versions: reads and prints a JSON object (for the bot)",
    )


def _print_word_ranks(options: argparse.Namespace, settings: Settings) -> int:
    from training.reports.word_ranks import Request, word_ranks

    for_the_bot()
    try:
        request = Request.model_validate_json(sys.stdin.buffer.read(MAX_BYTES))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return fail(options, f"The question cannot be read: {where + ': ' if where else ''}{first['msg']}.")
    registry = current_registry(settings)
    print_json({"versions": word_ranks(registry, settings.home / "runs", request)})
    return 0
