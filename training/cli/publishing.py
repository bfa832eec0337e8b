"""`publish`: export a version to a folder or to the hub."""

import argparse
import contextlib
import sys

from training.cli.output import Commands, print_json
from training.progress import TerminalProgress
from training.registry.factory import current_registry
from training.settings import Settings


def add(commands: Commands) -> None:
    """Declare the command."""
    publish = commands.add(
        "publish", _publish, "a version as a folder that transformers can load, or on the hub"
    )
    publish.add_argument("version")
    publish.add_argument(
        "target", help="a new folder; or hub:OWNER/NAME, with HF_TOKEN set or after `hf auth login`"
    )
    publish.add_argument("--public", action="store_true", help="on the hub: visible to everyone")


def _publish(options: argparse.Namespace, settings: Settings) -> int:
    from training.registry.publishing.publish import publish

    with contextlib.closing(TerminalProgress()) as progress:
        published = publish(
            current_registry(settings),
            options.version,
            options.target,
            progress,
            is_public=options.public,
        )
    if options.json:
        print_json(
            {
                "version": published.version,
                "target": published.target,
                "url": published.url,
                "files": list(published.files),
            }
        )
        return 0
    place = published.url or published.target
    sys.stdout.write(f"{published.version} is published at {place}: {len(published.files)} files.\n")
    return 0
