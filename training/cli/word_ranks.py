"""`look`: where words stand in one query under several versions. The bot asks it; people have `predict`."""

import argparse
import sys

from pydantic import ValidationError

from training.cli.output import Commands, fail, for_the_bot, print_json
from training.registry.factory import current_registry
from training.settings import Settings

MAX_BYTES = 1 << 16


def add(commands: Commands) -> None:
    """Declare it."""
    commands.add(
        "look",
        _look,
        "where words stand in a query under several versions: a JSON object on standard input, one back",
    )


def _look(options: argparse.Namespace, settings: Settings) -> int:
    from training.reports.word_ranks import Request, look

    for_the_bot()
    try:
        request = Request.model_validate_json(sys.stdin.buffer.read(MAX_BYTES))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return fail(options, f"The question cannot be read: {where + ': ' if where else ''}{first['msg']}.")
    registry = current_registry(settings)
    print_json({"versions": look(registry, settings.home / "runs", request)})
    return 0
