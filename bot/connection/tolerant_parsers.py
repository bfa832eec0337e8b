"""Makes discord.py tolerate events and responses that it cannot parse."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import discord
import structlog
from discord.channel import _guild_channel_factory

if TYPE_CHECKING:
    from discord.guild import GuildChannel

log = structlog.stdlib.get_logger(__name__)
T = TypeVar("T")
Parser = Callable[[Any], None]
IDS, MAX_ID = ("id", "message_id", "channel_id", "guild_id", "user_id"), 2**63
REQUIRED = (
    "READY"  # without it the session is useless; the error ends the process, and a supervisor restarts it
)
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


async def readable_channels(
    guild: discord.Guild, *, unreadable: "list[int | None] | None" = None
) -> "list[GuildChannel]":
    """Fetch the channels of a server, without those that discord.py cannot parse.

    `Guild.fetch_channels` fails at the first channel of an unknown type. The ids of skipped channels are
    added to `unreadable`.

    Raises:
        UnreadableError: The response is no list.
        discord.HTTPException: The request failed.
    """

    def parsed(raw: Any) -> "GuildChannel":
        factory, _ = _guild_channel_factory(raw["type"])
        if factory is None:
            raise ValueError("unknown channel type")
        channel: GuildChannel = factory(guild=guild, state=guild._state, data=raw)
        return channel

    with reraising_malformed():
        found: list[Any] = list(await guild._state.http.get_all_guild_channels(guild.id))
    return list(_readable(found, parsed, guild, unreadable))


async def readable_threads(
    guild: discord.Guild, *, unreadable: "list[int | None] | None" = None
) -> list[discord.Thread]:
    """Fetch the active threads of a server; raises as `readable_channels`."""
    with reraising_malformed():
        found: list[Any] = list((await guild._state.http.get_active_threads(guild.id))["threads"])

    def parsed(raw: Any) -> discord.Thread:
        return discord.Thread(guild=guild, state=guild._state, data=raw)

    return list(_readable(found, parsed, guild, unreadable))


def _readable(
    found: list[Any], parsed: Callable[[Any], T], guild: discord.Guild, unreadable: list[int | None] | None
) -> Iterator[T]:
    for raw in found:
        try:
            yield parsed(raw)
        except MALFORMED as error:
            channel_id = id_of(raw)
            if unreadable is not None:
                unreadable.append(channel_id)
            log.info(
                "channel.unreadable", guild_id=guild.id, channel_id=channel_id, error=type(error).__name__
            )


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
