"""A command being carried out: its replies, and the sign that it is being worked on."""

import asyncio
from typing import Any

import discord
from discord.ext import commands

from bot.embeds.replies import MAX_CONTENT, clipped

UNAVAILABLE, AGAIN_AFTER_S = 503, (1.0, 3.0, 5.0, 7.0)  # as discord.py itself does after 500 and 502
SHOW_AFTER_S = 0.3  # what takes longer is shown to be under way
MAX_SHOWN_S = 600.0


class Context(commands.Context[Any]):
    """A command, with the sign that it is being worked on: typing, or “is thinking” of a slash command."""

    _sign: "asyncio.Task[None] | None" = None
    _is_shown = False

    def show_work(self, *, is_ephemeral: bool = False) -> None:
        """Show the sign if there is no reply in a moment; `is_ephemeral` must be as the reply will be."""
        self._sign = asyncio.create_task(self._show(is_ephemeral), name="sign of work")

    async def settle(self) -> None:
        """End the sign, or wait until Discord has it where it is the beginning of the reply. Idempotent."""
        if self._sign is None:
            return
        if not (self._is_shown and self.interaction):
            self._sign.cancel()
        await asyncio.gather(self._sign, return_exceptions=True)
        self._sign = None

    async def send(self, *args: Any, **options: Any) -> discord.Message:
        """Reply; the sign of work ends."""
        await self.settle()
        return await super().send(*args, **options)

    async def _show(self, is_ephemeral: bool) -> None:
        await asyncio.sleep(SHOW_AFTER_S)
        self._is_shown = True
        if self.interaction is not None:
            if not self.interaction.response.is_done():
                await self.interaction.response.defer(ephemeral=is_ephemeral)
        else:
            async with self.typing():
                await asyncio.sleep(MAX_SHOWN_S)


async def answer(
    context: Context,
    content: str | None = None,
    *,
    embed: discord.Embed | None = None,
    view: discord.ui.View | None = None,
    file: discord.File | None = None,
    ephemeral: bool = False,
) -> discord.Message:
    """Reply to a command, also when the message that called it is gone by now. Returns the reply.

    Args:
        context: of the command.
        content: clipped where it is longer than Discord takes.
        embed: shown below the content.
        view: menus and buttons below that.
        file: attached; an embed can show it as `attachment://NAME`.
        ephemeral: only for who asked, where Discord can do that: after a slash command.
    """
    parts: dict[str, Any] = {"view": view, "file": file}

    async def send() -> discord.Message:
        return await context.send(
            None if content is None else clipped(content, MAX_CONTENT),
            embeds=[] if embed is None else [embed],
            reference=context.message.to_reference(fail_if_not_exists=False),
            ephemeral=ephemeral,
            **{name: part for name, part in parts.items() if part is not None},
        )

    for wait_s in AGAIN_AFTER_S if file is None else ():  # a file can be read only once
        try:
            return await send()
        except discord.DiscordServerError as error:
            if error.status != UNAVAILABLE:
                raise
        await asyncio.sleep(wait_s)
    return await send()
