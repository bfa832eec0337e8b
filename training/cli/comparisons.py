"""`compare`: versions with each other and with their base model."""

import argparse
import contextlib
import sys
from pathlib import Path

from training.cli.output import COUNT, Commands, fill_model_of, print_json
from training.corpus.language import examples
from training.errors import BaseModelError, NotComparableError, RegistryError
from training.evaluation.materials import OWN_SUITES, OWN_TEXTS, suites_of, texts_of
from training.inference.encoder import MASK_PATTERN
from training.inference.loading import served_folder
from training.models.base_model import find_base
from training.progress import TerminalProgress
from training.registry.factory import current_registry
from training.registry.versions import Registry
from training.settings import Settings

STARTER = "starter"  # the base of a model trained from scratch, which cannot be downloaded
MAX_TEXTS = 120  # per set: three small models take about a minute for three sets on two cores
NO_BASE = "No base is available to compare with. Name one with --base.\n"


def add(commands: Commands) -> None:
    """Declare the command."""
    comparison = commands.add(
        "compare", _compare, "compare versions and their base by words, suites and perplexity"
    )
    comparison.add_argument(
        "arguments",
        nargs="+",
        metavar="VERSION|TEXT",
        help="two or more versions, or folders with a model; texts with [MASK] (default: five)",
    )
    comparison.add_argument("--base", help="a version, or a folder; default: the base of the first version")
    comparison.add_argument(
        "--suite",
        action="append",
        help=f"a file as for evaluate, or one of {', '.join(OWN_SUITES)}; repeat it for more (default: all "
        "of these)",
    )
    comparison.add_argument(
        "--texts",
        action="append",
        help=f"a file as for evaluate, or one of {', '.join(OWN_TEXTS)} (what domain models are not trained "
        "on); repeat it for more (default: all of these)",
    )
    comparison.add_argument(
        "--max-texts", type=COUNT, default=MAX_TEXTS, help="texts of a set at most (default %(default)s)"
    )


def _compare(options: argparse.Namespace, settings: Settings) -> int:
    from training.reports.comparison.measuring import compare
    from training.reports.comparison.table import table_of

    registry = current_registry(settings)
    queries = [text for text in options.arguments if MASK_PATTERN.search(text)]
    named = [name for name in options.arguments if name not in queries]
    versions = list(dict.fromkeys(_folder(name, registry) for name in named))
    if len(versions) < 2:
        raise NotComparableError("these are not two different models", registry.versions())
    suites = suites_of(options.suite or OWN_SUITES)
    texts = texts_of(options.texts or OWN_TEXTS, settings, most=options.max_texts)
    if options.base:
        base = {_folder(options.base, registry): Path(options.base).name}
    else:
        base = _base_of(versions[0], settings, registry)
    names = _distinct(base | {folder: folder.name for folder in versions})
    with contextlib.closing(TerminalProgress()) as progress:
        comparison = compare(
            {name: fill_model_of(str(folder), settings) for folder, name in names.items()},
            base=next((names[folder] for folder in base), None),
            versions=[names[folder] for folder in versions],
            queries=[q.encode(errors="replace").decode() for q in queries] or examples().compared,
            suites=suites,
            texts=texts,
            progress=progress,
        )
    if options.json:
        print_json(comparison.to_json())
    else:
        sys.stdout.write(table_of(comparison) + ("" if base else NO_BASE))
    return 0


def _folder(name: str, registry: Registry) -> Path:
    """Return the folder of a model, given by its path or as a version.

    Raises:
        NotComparableError: there is neither such a folder nor such a version.
        RegistryError: the version is damaged, or cannot be fetched.
    """
    if name and (folder := Path(name)).is_dir():
        return folder.resolve()
    try:
        registry.path(name)
    except RegistryError as error:
        reason = f"{name!r} is no version and no folder, and has no [MASK]"
        raise NotComparableError(reason, registry.versions()) from error
    return served_folder(registry, name).resolve()


def _base_of(folder: Path, settings: Settings, registry: Registry) -> dict[Path, str]:
    """Return the folder and shown name of a model's base, by its card; empty if it is not available."""
    base = settings.base_model
    if folder.parent == registry.folder.resolve():
        base = registry.card(folder.name).base
    for version in registry.versions():
        with contextlib.suppress(RegistryError):
            card = registry.card(version)
            if card.kind in ("base", "starter") and card.base == base:
                return {served_folder(registry, version).resolve(): version}
    with contextlib.suppress(BaseModelError):
        found = None if base == STARTER else find_base(base)
        return {found.resolve(): Path(base).name} if found else {}
    return {}


def _distinct(names: dict[Path, str]) -> dict[Path, str]:
    """Folder → name; the whole path if two have the same name."""
    shown = list(names.values())
    return {folder: str(folder) if shown.count(name) > 1 else name for folder, name in names.items()}
