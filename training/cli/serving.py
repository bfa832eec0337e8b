"""`serve`: the service on a Ray cluster."""

import argparse
import sys

from training.cli.output import Commands
from training.progress import TerminalProgress
from training.settings import Settings


def add(commands: Commands) -> None:
    """Declare the command."""
    serve = commands.add("serve", _serve, "answer from replicas on a Ray cluster (FILLBOT_RAY_ADDRESS)")
    serve.add_argument("--host", default="127.0.0.1", help="address that its nodes listen on; 0.0.0.0: all")
    serve.add_argument("--port", type=int, default=8000, help="port of that (default: 8000)")
    serve.add_argument("--stop", action="store_true", help="stop the service; bots then answer locally")


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    from training.distributed.serving import deployment

    if options.stop:
        deployment.stop(settings)
        sys.stdout.write("The service is stopped.\n")
        return 0
    path = deployment.deploy(settings, TerminalProgress(), host=options.host, port=options.port)
    sys.stdout.write(
        f"The service answers on port {options.port} of every node that has a replica. "
        f"For the bots set FILLBOT_SERVING_URL=http://NODE:{options.port}{path}\n"
    )
    return 0
