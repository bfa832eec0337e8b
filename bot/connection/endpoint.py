"""Chooses the server to connect to: Discord if there is a token, else the embedded sandbox."""

import contextlib
from dataclasses import dataclass

import structlog

from bot.connection.session import set_discord_urls
from bot.errors import EX_UNAVAILABLE, StartError
from bot.permissions import kind_without_messages
from bot.sandbox import Limits, PortInUseError, Sandbox
from bot.settings import Settings
from bot.texts import texts_of
from training.corpus.language import examples, reading

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The server that the bot connects to, with its token and ids."""

    token: str
    guild_ids: tuple[int, ...]
    report_channel_id: int | None
    listen_channel_ids: tuple[int, ...] = ()
    sandbox: Sandbox | None = None


async def endpoint_for(settings: Settings, stack: contextlib.AsyncExitStack) -> Endpoint:
    """Return Discord's endpoint, or start a sandbox that `stack` closes.

    Raises:
        StartError: The sandbox's port is in use.
    """
    if settings.discord_token is not None:
        set_discord_urls(settings.discord_api_url, settings.discord_gateway_url)
        token = settings.discord_token.get_secret_value()
        return Endpoint(token, settings.guild_ids, settings.report_channel_id, settings.listen_channel_ids)
    try:
        limits = Limits() if settings.sandbox_rate_limits else None
        sandbox = Sandbox(
            port=settings.sandbox_port,
            limits=limits,
            language=settings.language,
            page_texts={**texts_of(settings.language).get("page", {}), **_example_sentences()},
        )
        await stack.enter_async_context(sandbox)
    except PortInUseError as error:
        raise StartError(str(error), exit_code=EX_UNAVAILABLE) from error
    set_discord_urls(sandbox.api_url, sandbox.gateway_url)
    listened = (sandbox.channel_id, *settings.listen_channel_ids)
    return Endpoint(sandbox.bot_token, (sandbox.guild_id,), sandbox.reports_channel_id, listened, sandbox)


def _example_sentences() -> dict[str, str]:
    """The page's English example sentences → those of the language that the model reads."""
    with reading("en"):
        english = examples()
    return {english.example: examples().example, english.two_masks: examples().two_masks}


def check_report_channel(report_channel: object) -> None:
    """Log an error if the report channel is of a kind that takes no messages."""
    if kind := kind_without_messages(report_channel):
        fix = "Set FILLBOT_REPORT_CHANNEL_ID to a text channel or a thread."
        log.error("report_channel.unfit", kind=kind, fix=fix)
