"""What Discord says of the bot, asked over its REST API: no gateway is opened, and a running bot goes on."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp
import discord

from bot.checks.finding import Finding, bad, good, moot
from bot.connection import AT_REST, UNREACHABLE
from bot.errors import EX_UNAVAILABLE
from bot.settings import Settings

TOKEN = re.compile(r"[\w-]{18,}\.[\w-]{4,}\.[\w-]{20,}")
PORTAL = "the developer portal (discord.com/developers/applications)"
NEEDED = (
    "view_channel",
    "send_messages",
    "send_messages_in_threads",
    "embed_links",
    "attach_files",
    "add_reactions",
    "read_message_history",
)
MAX_SKEW_S = 30.0
Place = discord.abc.GuildChannel | discord.Thread


async def discord_findings(settings: Settings, *, now: datetime) -> AsyncIterator[Finding]:
    """Everything that takes a token; one line that says so where there is none."""
    if settings.discord_token is None:
        yield moot("token", "DISCORD_TOKEN is not set: the sandbox on this machine would be used")
        return
    token = settings.discord_token.get_secret_value().strip()
    async with discord.Client(intents=AT_REST) as client:
        try:
            await client.login(token)
        except discord.LoginFailure:
            yield bad("token", _shape(token), f"Copy it anew from {PORTAL}, Bot → Reset Token.")
            return
        except (*UNREACHABLE, ValueError) as error:
            yield bad(
                "Discord",
                f"cannot be reached ({type(error).__name__})",
                "Check the network of this machine and FILLBOT_DISCORD_API_URL.",
                exit_code=EX_UNAVAILABLE,
            )
            return
        assert client.user is not None
        yield good("token", f"Discord knows it: {client.user}")
        yield _intents(client)
        yield await _clock(now)
        try:
            async for finding in _places(client, settings):
                yield finding
        except UNREACHABLE as error:
            yield bad("Discord", f"stopped answering ({error})", "Try again later.", exit_code=EX_UNAVAILABLE)


def _shape(token: str) -> str:
    """Why Discord may have refused it, as far as can be seen; never a part of it."""
    if token.lower().startswith("bot "):
        return "Discord refuses it: it begins with “Bot ”, which does not belong to it"
    if not TOKEN.fullmatch(token):
        return "Discord refuses it: a bot's token has three parts with dots between; this is something else"
    return "Discord refuses it"


def _intents(client: discord.Client) -> Finding:
    flags = client.application_flags
    if flags.gateway_message_content or flags.gateway_message_content_limited:
        return good("intents", "Message Content is on")
    return bad(
        "intents",
        "Message Content is off",
        f"Switch it on in {PORTAL}, Bot → Privileged Gateway Intents → Message Content Intent.",
    )


async def _clock(now: datetime) -> Finding:
    """This machine's clock against the one of Discord's answers."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{discord.http.Route.BASE}/gateway") as answer,
        ):
            theirs = parsedate_to_datetime(answer.headers["Date"])
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError):
        return moot("clock", "Discord did not say its time")
    skew_s = abs((now - theirs).total_seconds())
    if skew_s <= MAX_SKEW_S:
        return good("clock", "as Discord's")
    return bad("clock", f"{skew_s:.0f} s from Discord's", "Set it, best by NTP: `timedatectl set-ntp true`.")


async def _places(client: discord.Client, settings: Settings) -> AsyncIterator[Finding]:
    """Listed servers, permissions there, the report channel, admin roles."""
    assert client.user is not None
    seen: dict[int, tuple[Place, discord.Member]] = {}
    roles: set[int] = set()
    is_complete = True
    for guild_id in settings.guild_ids:
        try:
            guild = await client.fetch_guild(guild_id, with_counts=False)
        except (discord.Forbidden, discord.NotFound):
            is_complete = False
            yield bad("server", f"{guild_id}: the bot is not a member", f"Invite it: {_invite(client)}")
            continue
        me = await guild.fetch_member(client.user.id)
        channels: list[Place] = [*await guild.fetch_channels(), *await guild.active_threads()]
        roles |= {role.id for role in guild.roles}
        seen |= {channel.id: (channel, me) for channel in channels}
        texts = [channel for channel in channels if isinstance(channel, discord.TextChannel)]
        yield _permissions(client, me, texts)
    yield _report_channel(settings.report_channel_id, seen, is_complete=is_complete)
    yield _admin_roles(settings.admin_role_ids, roles)


def _permissions(
    client: discord.Client, me: discord.Member, channels: Sequence[discord.TextChannel]
) -> Finding:
    """Whether there are channels to work in, and nothing is missing where it may write at all."""
    name = "server"
    usable: list[discord.TextChannel] = []
    lacking: dict[str, list[str]] = {}
    for channel in channels:
        allowed = channel.permissions_for(me)
        missing = _missing(allowed)
        if not missing:
            usable.append(channel)
        elif allowed.view_channel and allowed.send_messages:
            for permission in missing:
                lacking.setdefault(permission, []).append(f"#{channel.name}")
    fix = f"Give the bot's role these permissions, or invite it again: {_invite(client)}"
    if lacking:
        where = "; ".join(f"{permission} in {', '.join(names)}" for permission, names in lacking.items())
        return bad(name, f"{me.guild.name}: missing {where}", fix)
    if not usable:
        what = ", ".join(_missing(me.guild_permissions)) or "the permission to see a text channel"
        return bad(name, f"{me.guild.name}: no channel to work in; missing {what}", fix)
    return good(name, f"{me.guild.name}: works in {len(usable)} of {len(channels)} text channels")


def _report_channel(
    channel_id: int | None, seen: dict[int, tuple[Place, discord.Member]], *, is_complete: bool
) -> Finding:
    name = "report channel"
    if channel_id is None:
        return moot(name, "not set: verdicts are only logged")
    if channel_id not in seen:
        detail = f"{channel_id} is in none of the servers" if is_complete else f"{channel_id} was not found"
        fix = "Copy the channel's id to FILLBOT_REPORT_CHANNEL_ID, and let the bot view that channel."
        return bad(name, detail, fix)
    channel, me = seen[channel_id]
    allowed = channel.permissions_for(me)
    writes = "send_messages_in_threads" if isinstance(channel, discord.Thread) else "send_messages"
    wanted = ("view_channel", writes, "embed_links", "attach_files")
    if missing := _missing(allowed, wanted):
        return bad(name, f"#{channel.name}: missing {', '.join(missing)}", "Give the bot's role these there.")
    return good(name, f"#{channel.name} in {channel.guild.name}")


def _admin_roles(wanted: Sequence[int], roles: set[int]) -> Finding:
    name = "admin roles"
    if not wanted:
        return moot(name, "not set: admins are those who may manage the server")
    if unknown := [str(role_id) for role_id in wanted if role_id not in roles]:
        return bad(
            name,
            f"{', '.join(unknown)}: no such role in the listed servers",
            "Copy the role's id to FILLBOT_ADMIN_ROLE_IDS (Server settings → Roles → ⋯ → Copy role ID).",
        )
    return good(name, f"{len(wanted)} of {len(wanted)} exist")


def _missing(allowed: discord.Permissions, wanted: Sequence[str] = NEEDED) -> list[str]:
    """Names as Discord's settings show them."""
    return [name.replace("_", " ").title() for name in wanted if not getattr(allowed, name)]


def _invite(client: discord.Client) -> str:
    permissions = discord.Permissions(**dict.fromkeys(NEEDED, True))
    scopes = ("bot", "applications.commands")
    return discord.utils.oauth_url(client.application_id or 0, permissions=permissions, scopes=scopes)
