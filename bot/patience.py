"""Says that an answer is being thought about, where it takes long enough for people to wonder."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import aiohttp
import discord

if TYPE_CHECKING:
    from bot.client import Context

PATIENCE_S = 0.3


@contextlib.asynccontextmanager
async def typing_after(
    context: "Context", *, patience_s: float = PATIENCE_S, ephemeral: bool = False
) -> AsyncIterator[None]:
    """Show "is typing" when the block takes longer; a slash command is deferred, so that it may take longer.

    Args:
        context: of the command; answer it after the block.
        patience_s: how long nothing is shown.
        ephemeral: whether the answer will be for who asked alone.
    """
    sending = asyncio.Event()

    async def show() -> None:
        await asyncio.sleep(patience_s)
        sending.set()
        with contextlib.suppress(discord.DiscordException, aiohttp.ClientError, OSError):
            await context.typing(ephemeral=ephemeral)

    task = asyncio.create_task(show(), name="typing")
    try:
        yield
    finally:
        if not sending.is_set():
            task.cancel()
        await asyncio.wait([task])  # what is on its way arrives before the answer does
