"""`versions`, `promote`, `rollback`, `publish` and `import-models`: the registry."""

import argparse
import contextlib
import getpass
import sys
from dataclasses import asdict
from functools import partial
from typing import Any

from training.cli.output import Commands, fail, finish, print_json
from training.errors import CorruptVersionError
from training.pipeline.outcome import Outcome
from training.progress import TerminalProgress
from training.registry.factory import current_registry, import_shared_versions
from training.settings import Settings


def add(commands: Commands) -> None:
    """Declare the commands."""
    commands.add("versions", _versions, "list all versions")
    promote = commands.add("promote", _promote, "make a version champion, whatever the gate decided")
    promote.add_argument("version")
    rollback = commands.add("rollback", _rollback, "make an earlier version champion")
    rollback.add_argument("version", nargs="?", help="default: the champion's predecessor")
    commands.add(
        "import-models",
        _import_models,
        "import shared versions that the database lacks: from the log of an earlier release, or "
        "after the database was lost",
    )
    publish = commands.add(
        "publish", _publish, "a version as a folder that transformers can load, or on the hub"
    )
    publish.add_argument("version")
    publish.add_argument(
        "target", help="a new folder; or hub:OWNER/NAME, with HF_TOKEN set or after `hf auth login`"
    )
    publish.add_argument("--public", action="store_true", help="on the hub: visible to everyone")


def _versions(options: argparse.Namespace, settings: Settings) -> int:
    registry = current_registry(settings)
    champion, domain, withdrawn = registry.champion(), registry.domain(), registry.withdrawn()
    rows: list[dict[str, Any]] = []
    for version in registry.versions():
        try:
            card = registry.card(version)
        except CorruptVersionError:
            card = None
        rows.append(
            {
                "version": version,
                "kind": card.kind if card else "damaged",
                "created_at": card.created_at.isoformat(timespec="seconds") if card else None,
                "parent": card.parent if card else None,
                "champion": version == champion,
                "domain": version == domain,
                "withdrawn": version in withdrawn,
                "promotable": card.verdict.get("is_promotable") if card else None,
                "retraining_set_hash": card.retraining_set_hash if card else None,
            }
        )
    if options.json:
        print_json({"champion": champion, "domain": domain, "versions": rows})
        return 0
    for row in rows:
        marks = ", ".join(name for name in ("champion", "domain", "withdrawn") if row[name])
        sys.stdout.write(f"{row['version']}  {row['kind']:<8} {row['created_at'] or '':<25}  {marks}\n")
    return 0


def _promote(options: argparse.Namespace, settings: Settings) -> int:
    from training.registry import promotion
    from training.synchronous_database import SynchronousDatabase, now

    promote = partial(promotion.promote, current_registry(settings))
    with SynchronousDatabase.open(settings.url) as database:
        version = database.call(promote, options.version, now=now(), by=getpass.getuser())
    return finish(options, Outcome("done", f"{version} serves now.", version))


def _rollback(options: argparse.Namespace, settings: Settings) -> int:
    from training.registry import promotion
    from training.synchronous_database import SynchronousDatabase, now

    registry = current_registry(settings)
    before = registry.champion()
    with SynchronousDatabase.open(settings.url) as database:
        version = database.call(partial(promotion.roll_back, registry), options.version, now=now())
    sentence = f"{version} serves now; nightly promotion is paused until there are new votes or a `!resume`."
    if version == before:
        sentence = f"{version} serves already; nothing was changed."
    return finish(options, Outcome("done", sentence, version))


def _import_models(options: argparse.Namespace, settings: Settings) -> int:
    if settings.models_url is None:
        return fail(options, "Nothing is shared: FILLBOT_MODELS_URL is not set.")
    return finish(options, Outcome("done", import_shared_versions(settings)))


def _publish(options: argparse.Namespace, settings: Settings) -> int:
    from training.registry.publishing.publish import publish

    registry = current_registry(settings)
    with contextlib.closing(TerminalProgress()) as progress:
        published = publish(registry, options.version, options.target, progress, is_public=options.public)
    if options.json:
        print_json(asdict(published))
        return 0
    place = published.url or published.target
    sys.stdout.write(f"{published.version} is published at {place}: {len(published.files)} files.\n")
    return 0
