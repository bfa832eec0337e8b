"""`python -m training`: runs, predictions and the registry on the command line.

Exit codes: 0 success (also of a rejected or skipped run), 1 failure, 2 wrong usage, 78 a wrong setting.
"""

import argparse
import logging
import os
import signal
import sys
import threading

import structlog

from storage.errors import SettingsError, StorageError
from storage.sentences import Sentence
from storage.settings import EX_CONFIG, load
from training.cli import bases, comparisons, curves, for_the_bot, measures, plots, runs, simulations, versions
from training.cli.output import Commands, fail
from training.corpus.language import reading
from training.errors import TrainingError
from training.settings import Settings

COMMANDS = (runs, measures, comparisons, bases, simulations, curves, plots, versions, for_the_bot)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    options = command_line().parse_args(arguments)
    _set_up_logging()
    if getattr(options, "end_with_parent", False):
        _end_with_parent()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads leave the cores to the bot
    try:
        settings = load(Settings)
    except SettingsError as error:
        fail(options, error)
        return EX_CONFIG
    try:
        with reading(settings.corpus_language):
            code: int = options.command(options, settings)
    except (TrainingError, StorageError) as error:
        return fail(options, error)
    except BrokenPipeError:  # the reader closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        reason = f"{error.strerror or error}{where}"
        return fail(options, Sentence("{reason}. Check the disk and FILLBOT_HOME.", reason=reason))
    except KeyboardInterrupt:
        return fail(options, Sentence("Stopped. The champion is unchanged."))
    return code


def _set_up_logging() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    structlog.configure(
        logger_factory=structlog.stdlib.LoggerFactory(),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _end_with_parent() -> None:
    """End this process when the parent closes standard input, so that no orphan remains."""

    def watch() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock would be held when the interpreter ends
            pass
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            os._exit(1)
        os.kill(os.getpid(), signal.SIGTERM)  # a handler may have to stop a job on a cluster first

    os.nice(10)  # queries have priority
    threading.Thread(target=watch, daemon=True).start()


def command_line() -> argparse.ArgumentParser:
    """Return the parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Train, evaluate and manage the models."
    )
    commands = Commands(parser)
    for module in COMMANDS:
        module.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
