"""A Discord that outlives the bot: the sandbox here, and a bot that talks to it as to Discord's own."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from support.wire import Wire, settings_for, untouched_discord

from bot.app import open_app
from bot.sandbox.server import Sandbox


def settings_on(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    """The settings, by name, of a bot that takes `sandbox` for Discord."""
    return {
        "discord_token": sandbox.bot_token,
        "guild_ids": (sandbox.guild_id,),
        "discord_api_url": sandbox.api_url,
        "discord_gateway_url": sandbox.gateway_url,
        "report_channel_id": sandbox.reports_channel_id,
        "min_voters": 1,
        "min_judgements": 1,
        **settings,
    }


@contextlib.asynccontextmanager
async def hosted(home: Path, sandbox: Sandbox, **settings: Any) -> AsyncIterator[Wire]:
    """The app on this home, in this process, on a sandbox that was there before and stays."""
    with untouched_discord():
        async with open_app(settings_for(home, **settings_on(sandbox, **settings))) as app:
            yield Wire(app, sandbox)
