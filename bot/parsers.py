"""discord.py's event parsers, so that one event that they cannot read does not end the connection."""

import functools
from collections.abc import Callable
from typing import Any

import discord
import structlog

log = structlog.stdlib.get_logger(__name__)
Parser = Callable[[Any], None]
IDS, MAX_ID = ("id", "message_id", "channel_id", "guild_id", "user_id"), 2**63
VITAL = "READY"  # a connection whose beginning cannot be read is of no use: a supervisor starts anew


def skip_malformed_events(client: discord.Client) -> None:
    """Let every event but the first be skipped where reading it raises, with a line in the log.

    Listeners hear of it as `on_malformed_event`.
    """
    parsers = client._connection.parsers
    for name, parse in parsers.items():
        if name != VITAL:
            parsers[name] = functools.partial(_parsed, client, name, parse)


def _check_ids(body: dict[str, Any]) -> None:
    """Raise where an id is none: in the database it would spoil the votes that are stored along with it."""
    found = [body[key] for key in IDS if body.get(key) is not None]
    if any(abs(int(one)) >= MAX_ID for one in (*found, *(body.get("ids") or ()))):
        raise OverflowError


def _parsed(client: discord.Client, name: str, parse: Parser, body: Any) -> None:
    try:
        _check_ids(body)
        parse(body)
    except Exception as error:  # noqa: BLE001  discord.py raises whatever the shape of the event leads to
        # Its text, and a traceback, could hold what a person wrote.
        log.warning("event.malformed", name=name, error=type(error).__name__)
        client.dispatch("malformed_event", name)
