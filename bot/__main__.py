"""`python -m bot`: load the settings, run the app, end in one sentence and an exit code.

Exit codes: 0 stopped, 69 something needed is not there, 78 a setting must be changed, 1 a fault of the program.
"""

import asyncio
import signal
import sys

import structlog

from bot.app import run_app
from bot.errors import EX_UNAVAILABLE, StartError
from bot.logs import set_up_logging
from bot.settings import load_settings
from storage.errors import StorageError
from training.errors import TrainingError

log = structlog.stdlib.get_logger(__name__)


def main() -> int:
    """Run until interrupted. Returns the exit code."""
    try:
        settings = load_settings()
        token = settings.discord_token.get_secret_value() if settings.discord_token else ""
        set_up_logging(settings.log_level, secrets=(token,) if token else ())
        asyncio.run(_until_stopped(run_app(settings, on_ready=_say)))
    except StartError as error:
        return _fail(str(error), error.exit_code)
    except (StorageError, TrainingError) as error:
        return _fail(str(error), EX_UNAVAILABLE)
    return 0


async def _until_stopped(app) -> None:  # type: ignore[no-untyped-def]
    """Run the app as a task that SIGINT and SIGTERM cancel."""
    task = asyncio.create_task(app, name="app")
    loop = asyncio.get_running_loop()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise StartError(
                "The connection to Discord was lost for good.", exit_code=EX_UNAVAILABLE
            ) from None
        _say("fillbot has stopped.")


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def _fail(sentence: str, exit_code: int) -> int:
    sys.stderr.write(sentence + "\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
