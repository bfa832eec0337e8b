"""`python -m bot`: load the settings, run the app, exit with one sentence and an exit code.

`python -m bot check` checks everything the bot needs and says how to fix what is wrong, and
`python -m bot import` stores judgements from a file.

Exit codes: 0 stopped, 69 a resource is unavailable, 78 a setting must be changed, 1 a bug.
"""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from bot import __version__
from bot.answering.early_loading import EarlyModel
from bot.connection.proxies import proxy_secrets
from bot.errors import EX_UNAVAILABLE, StartError
from bot.imports.command import add_arguments, run_import
from bot.operations.checks.run import check
from bot.operations.logs import set_up_logging
from bot.settings import Settings, load_settings
from storage.errors import StorageError
from training.errors import TrainingError

CLOSING_S = 10.0  # a second signal in this time would interrupt what the first one began to close


def main(arguments: list[str] | None = None) -> int:
    """Run the bot, or the check. Returns the exit code."""
    options = command_line().parse_args(arguments)
    try:
        settings = load_settings()
        token = settings.discord_token.get_secret_value() if settings.discord_token else ""
        secrets = (*((token,) if token else ()), *proxy_secrets())
        is_check = options.command == "check"
        set_up_logging("ERROR" if options.command else settings.log_level, secrets=secrets)
        if options.command == "import":
            return asyncio.run(run_import(options, settings, _say))
        if is_check:
            return asyncio.run(check(settings, _say))
        asyncio.run(_until_stopped(_app(settings)))
    except StartError as error:
        return _fail(str(error), error.exit_code)
    except (StorageError, TrainingError) as error:
        return _fail(str(error), EX_UNAVAILABLE)
    if sys.stdout.isatty():
        _say("")  # the terminal has shown ^C on this line
    _say("fillbot has stopped.")
    return 0


def command_line() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Start fillbot: on Discord with DISCORD_TOKEN, else in the sandbox on this machine.",
        epilog="Exit codes: 0 stopped, or all checks passed; 69 a resource is unavailable; 78 a setting must "
        "be changed; 1 a bug. Backups: python -m storage --help. Models: python -m training --help.",
    )
    parser.add_argument("--version", action="version", version=f"fillbot {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    about = "check token, servers, permissions, model, database and disk; suggest fixes, change nothing"
    commands.add_parser("check", help=about, description=f"{about[0].upper()}{about[1:]}.")
    about = "store judgements from a file, or undo that; the bot may be running"
    add_arguments(commands.add_parser("import", help=about, description=f"{about[0].upper()}{about[1:]}."))
    return parser


def _app(settings: Settings) -> Coroutine[Any, Any, None]:
    """Return the app to run, which is imported while the champion is loaded."""
    gc.disable()  # modules live as long as the process: looking for garbage among them takes 0.1 s
    early = EarlyModel(settings)
    from bot.app import run_app

    gc.enable()
    gc.freeze()  # without them a full collection is 50 ms shorter
    return run_app(settings, on_ready=_say, early=early)


async def _until_stopped(app: Coroutine[Any, Any, None]) -> None:
    """Run the app until it ends, or SIGINT or SIGTERM cancels it."""
    task = asyncio.create_task(app, name="app")
    loop = asyncio.get_running_loop()
    cancelled_at: float | None = None

    def stop() -> None:
        """Cancel once: make passes a signal on that the whole process group has received already."""
        nonlocal cancelled_at
        if cancelled_at is None or loop.time() > cancelled_at + CLOSING_S:
            cancelled_at = loop.time()
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def _fail(sentence: str, exit_code: int) -> int:
    sys.stderr.write(sentence + "\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
