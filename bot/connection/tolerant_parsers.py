"""discord.py's parsers: one event or answer that they cannot read ends neither the connection nor a pass."""

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
VITAL = "READY"  # a connection whose beginning cannot be read is of no use: a supervisor starts anew


# What discord.py raises for an answer of a shape that it does not know; HTTP errors are none of these.
MALFORMED = (discord.ClientException, LookupError, TypeError, ValueError, AttributeError)


class UnreadableError(Exception):
    """discord.py cannot read what Discord answered; says the type of its error, and nothing of the answer."""


@contextlib.contextmanager
def reraising_malformed() -> Iterator[None]:
    """Raise UnreadableError where the block, a request and the parsing of its answer, meets an new shape.

    HTTP errors pass.
    """
    try:
        yield
    except MALFORMED as error:
        raise UnreadableError(type(error).__name__) from error


async def readable_channels(
    guild: discord.Guild, *, unreadable: "list[int | None] | None" = None
) -> "list[GuildChannel]":
    """The channels of a server, by request; those that discord.py cannot read are left out.

    `Guild.fetch_channels` gives up at the first one of a type that is newer than discord.py. The ids of those
    left out are added to `unreadable`.

    Raises:
        UnreadableError: the answer is no list.
        discord.HTTPException: Discord does not say.
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
    """The active threads of a server, by request; raises as `readable_channels`."""
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
    """The id of an object as Discord sent it; None where it has none."""
    try:
        return int(raw["id"])
    except MALFORMED:
        return None


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
