"""Runs all checks in order."""

from collections.abc import Callable
from datetime import UTC, datetime

from bot.connection.session import set_discord_urls
from bot.operations.checks.discord_checks import discord_findings
from bot.operations.checks.machine_checks import machine_findings
from bot.operations.checks.result import exit_code_of, table
from bot.settings import Settings


def utc_now() -> datetime:
    """Return an aware time, as the default clock of `check`."""
    return datetime.now(UTC)


async def check(
    settings: Settings, show: Callable[[str], None], *, now: Callable[[], datetime] = utc_now
) -> int:
    """Run all checks, even while the bot runs, and pass the table to `show`. Returns the exit code."""
    set_discord_urls(settings.discord_api_url, settings.discord_gateway_url)
    findings = [one async for one in discord_findings(settings, now=now())]
    findings += [one async for one in machine_findings(settings, now=now())]
    show(table(findings))
    return exit_code_of(findings)
