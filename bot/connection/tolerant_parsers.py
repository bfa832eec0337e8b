"""Makes discord.py tolerate events and responses that it cannot parse."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import discord
import structlog
from discord.channel import _threaded_guild_channel_factory

log = structlog.stdlib.get_logger(__name__)
Channel = discord.abc.GuildChannel | discord.Thread
Parser = Callable[[Any], None]
IDS, MAX_ID = ("id", "message_id", "channel_id", "guild_id", "user_id"), 2**63
# Without it the session is useless: the error ends the process, and a supervisor restarts it.
REQUIRED = "READY"
# What discord.py raises for a response of an unknown shape; HTTP errors are not among them.
MALFORMED = (discord.ClientException, LookupError, TypeError, ValueError, AttributeError)


class UnreadableError(Exception):
    """discord.py cannot parse a response. The text is the type of its error, never the content."""


@contextlib.contextmanager
def reraising_malformed() -> Iterator[None]:
    """Raise UnreadableError where discord.py fails to parse a response in the block; HTTP errors pass."""
    try:
        yield
    except MALFORMED as error:
        raise UnreadableError(type(error).__name__) from error


async def fetch_channels(guild: discord.Guild) -> tuple[list[Channel], list[int | None]]:
    """Fetch the channels and active threads of a server into it, without those that discord.py cannot parse.

    `Guild.fetch_channels` fails at the first channel of an unknown type.

    Returns:
        The channels and threads, and the ids of those that were skipped; None for one without an id.

    Raises:
        UnreadableError: The response is no list.
        discord.HTTPException: The request failed.
    """
    http = guild._state.http
    with reraising_malformed():
        raw_channels: list[Any] = list(await http.get_all_guild_channels(guild.id))
        raw_channels += (await http.get_active_threads(guild.id))["threads"]
    found: list[Channel] = []
    skipped: list[int | None] = []
    for raw in raw_channels:
        try:
            found.append(_add_channel(guild, raw))
        except MALFORMED as error:
            skipped.append(id_of(raw))
            reason = type(error).__name__
            log.info("channel.unreadable", guild_id=guild.id, channel_id=skipped[-1], error=reason)
    return found, skipped


def _add_channel(guild: discord.Guild, raw: Any) -> Channel:
    factory, _ = _threaded_guild_channel_factory(raw["type"])
    if factory is None:
        raise ValueError("unknown channel type")
    channel: Any = factory(guild=guild, state=guild._state, data=raw)
    add = guild._add_thread if isinstance(channel, discord.Thread) else guild._add_channel
    add(channel)
    return channel  # type: ignore[no-any-return]


def id_of(raw: Any) -> int | None:
    """Return the id in a raw object; None if it has none."""
    try:
        return int(raw["id"])
    except MALFORMED:
        return None


def skip_malformed_events(client: discord.Client) -> None:
    """Skip events whose parsing fails, with a line in the log; all but READY.

    Listeners receive `on_malformed_event` with the event's name.
    """
    parsers = client._connection.parsers
    for name, parse in parsers.items():
        if name != REQUIRED:
            parsers[name] = functools.partial(_parsed, client, name, parse)


def _check_ids(body: dict[str, Any]) -> None:
    """Raise if an id is malformed; in the database it would fail the whole batch that it is in."""
    found = [body[key] for key in IDS if body.get(key) is not None]
    if any(abs(int(one)) >= MAX_ID for one in (*found, *(body.get("ids") or ()))):
        raise OverflowError


def _parsed(client: discord.Client, name: str, parse: Parser, body: Any) -> None:
    try:
        _check_ids(body)
        parse(body)
    except Exception as error:  # noqa: BLE001  an unexpected shape can raise anything
        # The error text and the traceback could quote a message, so only the type is logged.
        log.warning("event.malformed", name=name, error=type(error).__name__)
        client.dispatch("malformed_event", name)
