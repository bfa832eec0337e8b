"""Where the bot talks: Discord when there is a token, else a sandbox of its own."""

import contextlib
from dataclasses import dataclass

import structlog

from bot.connection.session import set_discord_urls
from bot.errors import EX_UNAVAILABLE, StartError
from bot.permissions import kind_without_messages
from bot.sandbox import Limits, PortInUseError, Sandbox
from bot.settings import Settings

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the bot talks: Discord, or the sandbox on this machine."""

    token: str
    guild_ids: tuple[int, ...]
    report_channel_id: int | None
    sandbox: Sandbox | None = None


async def endpoint_for(settings: Settings, stack: contextlib.AsyncExitStack) -> Endpoint:
    """Discord, or a sandbox that is started here and closed by `stack`; never both.

    Raises:
        StartError: the sandbox's port is taken.
    """
    if settings.discord_token is not None:
        set_discord_urls(settings.discord_api_url, settings.discord_gateway_url)
        token = settings.discord_token.get_secret_value()
        return Endpoint(token, settings.guild_ids, settings.report_channel_id)
    try:
        limits = Limits() if settings.sandbox_rate_limits else None
        sandbox = await stack.enter_async_context(Sandbox(port=settings.sandbox_port, limits=limits))
    except PortInUseError as error:
        raise StartError(str(error), exit_code=EX_UNAVAILABLE) from error
    set_discord_urls(sandbox.api_url, sandbox.gateway_url)
    return Endpoint(sandbox.bot_token, (sandbox.guild_id,), sandbox.reports_channel_id, sandbox)


def check_report_channel(report_channel: object) -> None:
    """Log that nothing can be told in the report channel, where that is so."""
    if kind := kind_without_messages(report_channel):
        fix = "Set FILLBOT_REPORT_CHANNEL_ID to a text channel, or to a thread."
        log.error("report_channel.unfit", kind=kind, fix=fix)
