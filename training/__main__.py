"""`python -m training`: runs, questions to the model, and the registry, from the command line.

Exit codes: 0 done (a rejected or skipped run is done too), 1 could not be done, 2 wrong usage.
"""

import argparse
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from storage.errors import StorageError
from training.errors import CorruptVersionError, NoChampionError, SuiteError, TrainingError
from training.outcome import Outcome
from training.progress import JsonProgress, Progress, TerminalProgress
from training.registry import Registry
from training.settings import Settings

if TYPE_CHECKING:
    from training.fill_model import FillModel


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    options = _parser().parse_args(arguments)
    _set_up_logging()
    if getattr(options, "end_with_parent", False):
        _end_with_parent()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the cores to the bot
    try:
        settings = Settings()
    except ValidationError as error:
        return _fail(options, _sentence(error))
    try:
        code: int = options.command(options, settings)
    except (TrainingError, StorageError) as error:
        return _fail(options, str(error))
    except BrokenPipeError:  # who read the output has seen enough: `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _fail(options, f"{error.strerror or error}{where}. Check the disk and FILLBOT_HOME.")
    except KeyboardInterrupt:
        return _fail(options, "Stopped. The champion is unchanged.")
    return code


def _run(options: argparse.Namespace, settings: Settings) -> int:
    from training.pipeline import run_night

    return _finish(options, run_night(settings, _progress(options), trigger=options.trigger))


def _init(options: argparse.Namespace, settings: Settings) -> int:
    from training.pipeline import run_init

    return _finish(options, run_init(settings, _progress(options)))


def _domain(options: argparse.Namespace, settings: Settings) -> int:
    from training.pipeline import run_domain

    return _finish(options, run_domain(settings, _progress(options), trigger="domain"))


def _predict(options: argparse.Namespace, settings: Settings) -> int:
    from training.encoder import MASK_PATTERN

    text = options.text.encode(errors="replace").decode()  # bytes that are no UTF-8 arrive as half characters
    if not MASK_PATTERN.search(text):
        return _fail(options, "There is no [MASK] in that text: put one where the word should stand.")
    fill_model = _fill_model(options.model, settings)
    masks = fill_model.fill([text], top=options.top)[0]
    if options.json:
        rows = [
            [
                {"word": c.word, "token": c.token, "score": round(c.score, 6), "sequence": c.sequence}
                for c in mask
            ]
            for mask in masks
        ]
        _print({"version": fill_model.version, "masks": rows})
        return 0
    for mask in masks:
        for candidate in mask:
            sys.stdout.write(f"{candidate.score:7.2%}  {candidate.word:<20} {candidate.sequence}\n")
    return 0


def _evaluate(options: argparse.Namespace, settings: Settings) -> int:
    from training.evaluate import evaluate, read_suite, read_texts

    cases = read_suite(options.suite)
    if not cases:
        raise SuiteError(options.suite, "it is empty")
    texts = read_texts(options.texts) if options.texts else []
    result = evaluate(_fill_model(options.model, settings), cases, texts)
    if options.json:
        _print(result)
        return 0
    for group, figures in {"all": result["all"], **result["groups"]}.items():
        sys.stdout.write(
            f"{group:<14}" + "  ".join(f"{name} {value}" for name, value in figures.items()) + "\n"
        )
    if texts:
        sys.stdout.write(f"pseudo-perplexity per word {result['pseudo_perplexity']}\n")
    return 0


def _versions(options: argparse.Namespace, settings: Settings) -> int:
    registry = Registry(settings.models_dir)
    champion, domain = registry.champion(), registry.domain()
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
                "promotable": card.verdict.get("is_promotable") if card else None,
                "retraining_set_hash": card.retraining_set_hash if card else None,
            }
        )
    if options.json:
        _print({"champion": champion, "domain": domain, "versions": rows})
        return 0
    for row in rows:
        marks = ", ".join(name for name in ("champion", "domain") if row[name])
        sys.stdout.write(f"{row['version']}  {row['kind']:<8} {row['created_at'] or '':<25}  {marks}\n")
    return 0


def _promote(options: argparse.Namespace, settings: Settings) -> int:
    from training import promotion
    from training.records import Records, now

    registry = Registry(settings.models_dir)
    with Records(settings.url) as records:
        version = records.run(
            lambda database: promotion.promote(registry, database, options.version, now=now())
        )
    return _finish(options, Outcome("done", f"{version} serves now.", version))


def _rollback(options: argparse.Namespace, settings: Settings) -> int:
    from training import promotion
    from training.records import Records, now

    registry = Registry(settings.models_dir)
    before = registry.champion()
    with Records(settings.url) as records:
        version = records.run(
            lambda database: promotion.roll_back(registry, database, options.version, now=now())
        )
    sentence = f"{version} serves now; nightly promotion is paused until there are new votes or a `!resume`."
    if version == before:
        sentence = f"{version} serves already; nothing was changed."
    return _finish(options, Outcome("done", sentence, version))


def _fill_model(model: str | None, settings: Settings) -> "FillModel":
    """A version, or any folder with a model; the champion when None."""
    from training.fill_model import FillModel

    if model is not None and (folder := Path(model)).is_dir():
        if (folder / "model.onnx").exists():
            return FillModel(folder)
        from training.versions import exported

        return exported(folder)
    registry = Registry(settings.models_dir)
    version = model or registry.champion()
    if version is None:
        raise NoChampionError
    return FillModel(registry.path(version))


def _finish(options: argparse.Namespace, outcome: Outcome) -> int:
    if options.json:
        _print({"status": outcome.status, "version": outcome.version, "sentence": outcome.sentence})
    elif getattr(options, "progress", "bar") == "json":
        _progress(options).event(
            "finished", status=outcome.status, version=outcome.version, sentence=outcome.sentence
        )
    else:
        sys.stdout.write(outcome.sentence + "\n")
    return 0


def _fail(options: argparse.Namespace, sentence: str) -> int:
    is_child = getattr(options, "end_with_parent", False)
    if is_child or getattr(options, "progress", "bar") == "json":
        JsonProgress(sys.stdout).event("failed", sentence=sentence)
    if not (is_child and options.progress == "bar"):  # there the parent says it, as its last line
        sys.stderr.write(sentence + "\n")
    return 1


def _progress(options: argparse.Namespace) -> Progress:
    return JsonProgress(sys.stdout) if options.progress == "json" else TerminalProgress()


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def _sentence(error: ValidationError) -> str:
    """The first setting that cannot be used, by its name in the environment."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    return f"The settings cannot be used: FILLBOT_{name.upper()}: {first['msg']}. See .env.example."


def _set_up_logging() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    structlog.configure(
        logger_factory=structlog.stdlib.LoggerFactory(),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _end_with_parent() -> None:
    """End this process when the one that holds the other end of standard input is gone: no orphans."""

    def watch() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock would be held when the interpreter ends
            pass
        os._exit(1)

    os.nice(10)  # people who ask meanwhile go first
    threading.Thread(target=watch, daemon=True).start()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Train, question and manage the models."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Any, text: str, *, trains: bool = False) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        if trains:
            sub.add_argument("--progress", choices=("bar", "json"), default="bar", help="bars, or JSON lines")
            sub.add_argument("--end-with-parent", action="store_true", help="end when standard input closes")
        return sub

    add("init", _init, "make the first version, if there is none", trains=True)
    add("domain", _domain, "train the team's domain model from the base", trains=True)
    run = add("run", _run, "learn from the votes, and promote what passes the gate", trains=True)
    run.add_argument(
        "--trigger", choices=("nightly", "retrain", "cli"), default="cli", help="who asked for it"
    )
    predict = add("predict", _predict, "the best words for a text with [MASK], as the bare model says")
    predict.add_argument("text")
    predict.add_argument("--top", type=_positive, default=5, help="how many words (default 5)")
    predict.add_argument("--model", help="a version, or a folder; default: the champion")
    evaluation = add("evaluate", _evaluate, "metrics on a suite and on texts")
    evaluation.add_argument(
        "--suite", type=Path, required=True, help="JSON lines: text, wanted, unwanted, category"
    )
    evaluation.add_argument("--texts", type=Path, help="JSON lines: text; for the pseudo-perplexity")
    evaluation.add_argument("--model", help="a version, or a folder; default: the champion")
    add("versions", _versions, "every version there is")
    promote = add("promote", _promote, "let a version serve, whatever the gate said")
    promote.add_argument("version")
    rollback = add("rollback", _rollback, "let an earlier version serve")
    rollback.add_argument("version", nargs="?", help="default: the one before the champion")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("expected a number between 1 and 1000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
