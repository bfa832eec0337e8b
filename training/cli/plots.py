"""`plot`: plots of training runs, predictions and the corpus."""

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from training.cli.output import Commands, fill_model_of, print_json
from training.errors import CorruptVersionError, NoChampionError, NotPlottableError
from training.registry.factory import current_registry
from training.registry.versions import TRAINING_LOG, Registry
from training.settings import Settings

if TYPE_CHECKING:
    from training.inference.fill_model import FillModel

Draw = Callable[[argparse.Namespace, Settings, Path], None]


def add(commands: Commands) -> None:
    """Declare the command, with one subcommand per kind of plot."""
    plot = commands.add("plot", _plot, "draw how training went, what models say, or the corpus, as PNG")
    kinds = plot.add_subparsers(required=True, metavar="KIND")
    training = _kind(
        kinds, "training", _draw_training, "loss, perplexity and accuracy over the steps of domain runs"
    )
    training.add_argument(
        "versions", nargs="*", metavar="VERSION", help="default: every domain model with a training log"
    )
    words = _kind(
        kinds,
        "words",
        _draw_words,
        "the ten best and the ten worst of the thousand likeliest words for a text",
    )
    words.add_argument("text", help="a text with [MASK]")
    words.add_argument(
        "--model",
        dest="models",
        action="append",
        metavar="MODEL",
        help="a version, or a folder; up to three, each with its own --model; "
        "default: the domain model and the champion",
    )
    _kind(kinds, "corpus", _draw_corpus, "the team's texts in FILLBOT_DATA_DIR before and after cleaning")


def _kind(
    kinds: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, draw: Draw, text: str
) -> argparse.ArgumentParser:
    """Declare one kind of plot."""
    sub: argparse.ArgumentParser = kinds.add_parser(name, help=text, description=text)
    sub.set_defaults(draw=draw, kind=name)
    # Suppressed, so that `plot --json corpus` means the same as `plot corpus --json`.
    sub.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
    sub.add_argument(
        "--out", type=png_file, metavar="FILE", help=f"default: plots/{name}.png in FILLBOT_HOME"
    )
    return sub


def _plot(options: argparse.Namespace, settings: Settings) -> int:
    path = options.out or settings.home / "plots" / f"{options.kind}.png"
    options.draw(options, settings, path)
    if options.json:
        print_json({"path": str(path)})
    else:
        sys.stdout.write(f"{path}\n")
    return 0


def _draw_training(options: argparse.Namespace, settings: Settings, path: Path) -> None:
    from training.reports.plots.training_log import plot_training, read_log

    registry = current_registry(settings)
    versions = list(dict.fromkeys(options.versions)) or _with_log(registry)
    if not versions:
        raise NotPlottableError(
            "no domain model has a training log", "Run `python -m training domain` first."
        )
    logs = {
        _label(registry, version): read_log(registry.path(version) / TRAINING_LOG) for version in versions
    }
    plot_training(logs, path)


def _draw_words(options: argparse.Namespace, settings: Settings, path: Path) -> None:
    from training.inference.encoder import MASK_PATTERN
    from training.reports.plots.words import MAX_MODELS, plot_words

    text = options.text.encode(errors="replace").decode()  # bytes that are not UTF-8 arrive as surrogates
    if not MASK_PATTERN.search(text):
        raise NotPlottableError("there is no [MASK] in that text", "Put one where the word goes.")
    registry = current_registry(settings)
    names = list(dict.fromkeys(options.models or filter(None, (registry.domain(), registry.champion()))))
    if not names:
        raise NoChampionError
    if len(names) > MAX_MODELS:
        raise NotPlottableError(f"{len(names)} models do not fit side by side", f"Name at most {MAX_MODELS}.")
    models: dict[str, FillModel] = {}
    for name in names:
        label = _label(registry, name)
        models[label if label not in models else f"{label} ({name})"] = fill_model_of(name, settings)
    plot_words(text, models, path)


def _draw_corpus(options: argparse.Namespace, settings: Settings, path: Path) -> None:
    from training.corpus.health import measure_health, read_raw_cells
    from training.corpus.readers import read_folder
    from training.reports.plots.corpus_health import plot_corpus_health

    cells = read_raw_cells(settings.data_dir)
    if not cells:
        where = f"in {settings.data_dir}" if settings.data_dir else "to read"
        raise NotPlottableError(
            f"there are no CSV files of a known kind {where}",
            "Set FILLBOT_DATA_DIR to the folder of the three files that docs/training.md names.",
        )
    sentences, _ = read_folder(settings.data_dir, cache_dir=settings.home / "corpus")
    plot_corpus_health(measure_health(cells), measure_health([s.text for s in sentences]), path)


def _with_log(registry: Registry) -> list[str]:
    """Return the domain models that have a training log, oldest first."""
    found = []
    for version in registry.versions():
        with contextlib.suppress(CorruptVersionError):  # a damaged version must not prevent the plot
            is_domain = registry.card(version).kind == "domain"
            if is_domain and (registry.path(version) / TRAINING_LOG).is_file():
                found.append(version)
    return found


def _label(registry: Registry, model: str) -> str:
    """Name a version with its recipe or kind, and a folder by its name."""
    if Path(model).is_dir():
        return Path(model).resolve().name
    card = registry.card(model)
    return f"{card.recipe or card.kind} {model}"


def png_file(text: str) -> Path:
    """Parse the name of a PNG file."""
    path = Path(text)
    if path.suffix.casefold() != ".png":
        raise argparse.ArgumentTypeError("expected a file name that ends in .png")
    return path
