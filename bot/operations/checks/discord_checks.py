"""Checks of Discord over its REST API only: a gateway session would disturb a running bot."""

import difflib
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp
import discord

from bot.connection.proxies import proxy_for, use_proxy
from bot.connection.session import MINIMAL_INTENTS, UNREACHABLE, has_message_content
from bot.connection.tolerant_parsers import (
    MALFORMED,
    Channel,
    UnreadableError,
    fetch_channels,
    reraising_malformed,
)
from bot.operations.checks.result import Finding, failed, passed, skipped, unavailable
from bot.permissions import kind_without_messages, known_permissions, missing, needed_to_write
from bot.settings import Settings
from bot.voting.vote_weights import RoleWeights, is_meant

TOKEN = re.compile(r"[\w-]{18,}\.[\w-]{4,}\.[\w-]{20,}")
PORTAL = "the developer portal (discord.com/developers/applications)"
SHOWING = ("embed_links", "attach_files", "add_reactions", "read_message_history")
NEEDED = (
    "view_channel",
    "send_messages",
    "send_messages_in_threads",
    *SHOWING,
)
OTHER_CHANNEL = "Set FILLBOT_REPORT_CHANNEL_ID to a text channel, or to a thread."
MAX_SKEW_S = 30.0


async def discord_findings(settings: Settings, *, now: datetime) -> AsyncIterator[Finding]:
    """All checks that need a token; one skipped finding without a token."""
    if settings.discord_token is None:
        yield skipped("token", "DISCORD_TOKEN is not set: the sandbox on this machine would be used")
        return
    token = settings.discord_token.get_secret_value().strip()
    async with discord.Client(intents=MINIMAL_INTENTS) as client:
        use_proxy(client)
        try:
            await client.login(token)
        except discord.LoginFailure:
            yield failed("token", _shape(token), f"Copy it again from {PORTAL}, Bot → Reset Token.")
            return
        except (*UNREACHABLE, ValueError) as error:
            fix = "Check the network of this machine and FILLBOT_DISCORD_API_URL."
            yield unavailable("Discord", f"cannot be reached ({type(error).__name__})", fix)
            return
        except MALFORMED as error:
            detail = f"sent a response that cannot be read ({type(error).__name__})"
            fix = "Check FILLBOT_DISCORD_API_URL, and look for a newer release of fillbot."
            yield unavailable("Discord", detail, fix)
            return
        assert client.user is not None
        yield passed("token", f"Discord knows it: {client.user}")
        yield _intents(client)
        yield await _clock(now)
        async for finding in _server_findings(client, settings):
            yield finding


def _shape(token: str) -> str:
    """Why Discord may have refused the token, as far as its shape shows; never a part of it."""
    if token.lower().startswith("bot "):
        return "Discord refuses it: it begins with “Bot ”, which does not belong to it"
    if not TOKEN.fullmatch(token):
        return "Discord refuses it: a bot's token has three parts with dots between; this is something else"
    return "Discord refuses it"


def _intents(client: discord.Client) -> Finding:
    if has_message_content(client):
        return passed("intents", "Message Content is on")
    fix = f"Switch it on in {PORTAL}, Bot → Privileged Gateway Intents → Message Content Intent."
    detail = (
        "Message Content is off: typed commands and sentences in channels are not read; slash and message "
        "commands, mentions and direct messages work"
    )
    return failed("intents", detail, fix)


async def _clock(now: datetime) -> Finding:
    """Compare this machine's clock with the Date header of Discord."""
    url = f"{discord.http.Route.BASE}/gateway"
    try:
        async with aiohttp.request("GET", url, proxy=proxy_for(url)) as answer:
            theirs = parsedate_to_datetime(answer.headers["Date"])
    except (aiohttp.ClientError, OSError, LookupError, TypeError, ValueError):
        return skipped("clock", "Discord sent no date")
    skew_s = abs((now - theirs).total_seconds())
    if skew_s <= MAX_SKEW_S:
        return passed("clock", "as Discord's")
    fix = "Set it, best by NTP: `timedatectl set-ntp true`."
    return failed("clock", f"{skew_s:.0f} s from Discord's", fix)


@dataclass(slots=True)
class _Seen:
    """What was found in the configured servers."""

    places: dict[int, tuple[Channel, discord.Member]] = field(default_factory=dict)
    roles: dict[int, discord.Role] = field(default_factory=dict)
    unreadable: set[int] = field(default_factory=set)  # channels
    is_complete: bool = True


async def _server_findings(client: discord.Client, settings: Settings) -> AsyncIterator[Finding]:
    """Return the configured servers, the permissions there, the report channel, the admin roles."""
    seen = _Seen()
    for guild_id in settings.guild_ids:
        async for finding in _server(client, guild_id, seen):
            yield finding
    yield await _report_channel(client, settings.report_channel_id, seen)
    yield _listened_channels(client, settings.listen_channel_ids, seen)
    yield _admin_roles(settings.admin_role_ids, seen.roles.keys(), is_complete=seen.is_complete)
    yield _role_weights(settings.role_weights, seen.roles.values(), is_complete=seen.is_complete)


async def _server(client: discord.Client, guild_id: int, seen: _Seen) -> AsyncIterator[Finding]:
    """One server, whatever Discord answers."""
    assert client.user is not None
    was_complete, seen.is_complete = seen.is_complete, False
    try:
        with reraising_malformed():
            guild = await client.fetch_guild(guild_id, with_counts=False)
    except (discord.Forbidden, discord.NotFound):
        yield failed("server", f"{guild_id}: the bot is not a member", f"Invite it: {_invite(client)}")
        return
    except (*UNREACHABLE, UnreadableError) as error:
        yield _not_described(str(guild_id), error)
        return
    seen.roles |= {role.id: role for role in guild.roles}
    try:
        with reraising_malformed():
            me = await guild.fetch_member(client.user.id)
        places, unreadable = await fetch_channels(guild)
    except (*UNREACHABLE, UnreadableError) as error:
        yield _not_described(guild.name, error)
        return
    seen.is_complete = was_complete
    seen.places |= {place.id: (place, me) for place in places}
    seen.unreadable |= {one for one in unreadable if one is not None}
    yield _permissions(client, me, places)
    if unreadable:
        ids = ", ".join(str(one or "without an id") for one in unreadable)
        yield skipped("channels", f"{guild.name}: skipped, of a kind that discord.py does not know: {ids}")


def _not_described(server: str, error: Exception) -> Finding:
    """Return the finding for a server that Discord does not describe."""
    if isinstance(error, UnreadableError):
        detail, fix = f"sent a response that cannot be read ({error})", "Look for a newer release of fillbot."
    elif isinstance(error, discord.Forbidden):
        detail, fix = f"does not say ({error})", "Invite the bot again, or look at its role in that server."
        return failed("server", f"{server}: Discord {detail}", fix)
    else:
        detail, fix = f"does not answer ({error or type(error).__name__})", "Try again later."
    return unavailable("server", f"{server}: Discord {detail}", fix)


def _permissions(client: discord.Client, me: discord.Member, places: Sequence[Channel]) -> Finding:
    """Whether the bot has all permissions wherever it may write, and may write anywhere at all."""
    name = "server"
    usable: Counter[str] = Counter()
    total: Counter[str] = Counter()
    lacking: dict[str, list[str]] = {}
    for place in places:
        kind = _kind(place)
        allowed = known_permissions(place, me)
        if kind is None or allowed is None:
            continue
        total[kind] += 1
        missing_here = missing(allowed, _needed(place))
        if not missing_here:
            usable[kind] += 1
        elif not missing(allowed, _needed_to_write(place)):
            for permission in missing_here:
                lacking.setdefault(permission, []).append(f"#{place.name}")
    fix = f"Give the bot's role these permissions, or invite it again: {_invite(client)}"
    if lacking:
        where = "; ".join(f"{permission} in {', '.join(names)}" for permission, names in lacking.items())
        return failed(name, f"{me.guild.name}: missing {where}", fix)
    if not usable:
        what = ", ".join(missing(me.guild_permissions, NEEDED)) or "the permission to see a text channel"
        return failed(name, f"{me.guild.name}: no channel to work in; missing {what}", fix)
    counts = ", ".join(f"{usable[kind]} of {number} {kind}" for kind, number in total.items())
    return passed(name, f"{me.guild.name}: works in {counts}")


def _kind(place: Channel) -> str | None:
    """Return the name for this kind of channel; None if it holds no messages."""
    if isinstance(place, discord.Thread):
        return "threads"
    if isinstance(place, discord.VoiceChannel | discord.StageChannel):
        return "voice channels"
    if isinstance(place, discord.ForumChannel):
        return "forums"
    return "text channels" if isinstance(place, discord.TextChannel) else None


def _needed_to_write(place: Channel) -> tuple[str, ...]:
    """Return the permissions to write; messages in a forum are in its posts, which are threads."""
    if isinstance(place, discord.ForumChannel):
        return "view_channel", "send_messages_in_threads"
    return needed_to_write(place)


def _needed(place: Channel) -> tuple[str, ...]:
    if isinstance(place, discord.TextChannel):  # threads in it need their own permission
        return NEEDED
    return (*_needed_to_write(place), *SHOWING)


async def _report_channel(client: discord.Client, channel_id: int | None, seen: _Seen) -> Finding:
    name = "report channel"
    if channel_id is None:
        return skipped(name, "not set: verdicts are only logged")
    if channel_id not in seen.places:
        return await _unseen_report_channel(client, channel_id, seen)
    channel, me = seen.places[channel_id]
    if kind := kind_without_messages(channel):
        return failed(name, f"#{channel.name} is a {kind}: it takes no messages itself", OTHER_CHANNEL)
    is_locked = isinstance(channel, discord.Thread) and channel.locked
    if is_locked and not channel.permissions_for(me).manage_threads:
        return failed(name, f"#{channel.name} is a locked thread", f"Unlock it. Or: {OTHER_CHANNEL}")
    allowed = known_permissions(channel, me)
    if allowed is None:
        return failed(name, f"#{channel.name}: its permissions are not known", OTHER_CHANNEL)
    wanted = (*needed_to_write(channel), "embed_links", "attach_files", "read_message_history")
    if lacking := missing(allowed, wanted):
        fix = "Give the bot's role these permissions there."
        return failed(name, f"#{channel.name}: missing {', '.join(lacking)}", fix)
    return passed(name, f"#{channel.name} in {channel.guild.name}")


async def _unseen_report_channel(client: discord.Client, channel_id: int, seen: _Seen) -> Finding:
    """Return a report channel that is not an open channel of the servers read."""
    name = "report channel"
    if channel_id in seen.unreadable:
        return failed(name, f"{channel_id} is of a kind that discord.py does not know", OTHER_CHANNEL)
    try:
        with reraising_malformed():
            found = await client.fetch_channel(channel_id)
    except (*UNREACHABLE, UnreadableError):
        found = None
    if isinstance(found, discord.Thread) and found.archived:
        return failed(name, f"#{found.name} is an archived thread", f"Open it again. Or: {OTHER_CHANNEL}")
    where = "is in none of the servers" if seen.is_complete else "was not found"
    fix = "Copy the channel's id to FILLBOT_REPORT_CHANNEL_ID, and let the bot view that channel."
    return failed(name, f"{channel_id} {where}", fix)


def _listened_channels(client: discord.Client, wanted: Sequence[int], seen: _Seen) -> Finding:
    """Whether sentences can be read in the listed channels."""
    name = "listened channels"
    if not wanted:
        return skipped(name, "not set: sentences without a command are read in direct messages and mentions")
    if unknown := [str(one) for one in wanted if one not in seen.places]:
        if not seen.is_complete:
            return skipped(name, f"not checked: {', '.join(unknown)}")
        fix = "Copy the channels' ids to FILLBOT_LISTEN_CHANNEL_IDS, and let the bot view those channels."
        return failed(name, f"{', '.join(unknown)}: no such channel in the listed servers", fix)
    names = ", ".join(f"#{seen.places[one][0].name}" for one in wanted)
    if not has_message_content(client):
        fix = f"Switch the Message Content intent on in {PORTAL}, or empty FILLBOT_LISTEN_CHANNEL_IDS."
        return failed(name, f"{names}: not read without Message Content", fix)
    return passed(name, names)


def _admin_roles(wanted: Sequence[int], roles: Set[int], *, is_complete: bool) -> Finding:
    name = "admin roles"
    if not wanted:
        return skipped(name, "not set: everyone who may manage the server is an admin")
    if unknown := [str(role_id) for role_id in wanted if role_id not in roles]:
        if not roles and not is_complete:
            return skipped(name, f"not checked: {', '.join(unknown)}")
        fix = "Copy the role's id to FILLBOT_ADMIN_ROLE_IDS (Server settings → Roles → ⋯ → Copy role ID)."
        return failed(name, f"{', '.join(unknown)}: no such role in the listed servers", fix)
    return passed(name, f"{len(wanted)} of {len(wanted)} exist")


def _role_weights(wanted: RoleWeights, roles: Collection[discord.Role], *, is_complete: bool) -> Finding:
    name = "role weights"
    if not wanted:
        return skipped(name, "not set: every vote counts the same")
    unknown = [role for role, _ in wanted if not any(is_meant(one, role) for one in roles)]
    if unknown and not roles and not is_complete:
        return skipped(name, f"not looked for: {', '.join(unknown)}")
    if unknown:
        named = ", ".join(_with_nearest(role, roles) for role in unknown)
        fix = "Correct FILLBOT_ROLE_WEIGHTS: it takes names or ids of roles (Server settings → Roles)."
        return failed(name, f"{named}: no such role in the listed servers", fix)
    return passed(name, f"{len(wanted)} of {len(wanted)} exist")


def _with_nearest(role: str, roles: Collection[discord.Role]) -> str:
    """Return an unknown role, with the name that it may be a slip for."""
    names = {one.name.casefold(): one.name for one in roles}
    near = difflib.get_close_matches(role.casefold(), names, n=1)
    return f"{role} (did you mean {names[near[0]]}?)" if near else role


def _invite(client: discord.Client) -> str:
    permissions = discord.Permissions(**dict.fromkeys(NEEDED, True))
    scopes = ("bot", "applications.commands")
    return discord.utils.oauth_url(client.application_id or 0, permissions=permissions, scopes=scopes)
