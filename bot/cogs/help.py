"""`!help`: lists all commands, or explains one."""

from typing import Any, get_args

import discord
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.error_replies import usage
from bot.commands.registration import Group, command, offering
from bot.embeds.replies import COLOUR, MAX_FIELD, clipped
from bot.errors import UnknownCommandError
from bot.texts import say
from bot.wiring import Parts


class Help(commands.Cog):
    """The command `!help`."""

    def __init__(self, parts: Parts) -> None:
        self._bot = parts.discord.bot

    @command("help", group="help", is_ephemeral=True)
    async def help(self, context: Context, name: str | None = None) -> None:
        """List all commands, or explain one."""
        embed = self._all() if name is None else self._one(name)
        await send_reply(context, embed=embed, ephemeral=True)

    @help.autocomplete("name")
    @offering
    async def _complete_name(self, interaction: discord.Interaction, typed: str) -> list[str]:
        return sorted(c.name for c in self._bot.commands if typed.lower() in c.name)

    def _all(self) -> discord.Embed:
        prefix = self._bot.prefix
        embed = discord.Embed(title=say("help.title"), colour=COLOUR)
        embed.description = say("help.body", prefix=prefix, example=say("example"))
        for group in get_args(Group):
            listed: list[Any] = [c for c in self._bot.commands if c.extras["group"] == group]
            if lines := [
                f"`{prefix}{usage(c)}` — {say(f'commands.{c.name}')}"
                for c in sorted(listed, key=lambda c: str(c.name))
            ]:
                heading = say(f"help.groups.{group}")
                embed.add_field(name=heading, value=clipped("\n".join(lines), MAX_FIELD), inline=False)
        embed.set_footer(text=say("help.more", prefix=prefix))
        return embed

    def _one(self, name: str) -> discord.Embed:
        found: Any = self._bot.get_command(
            name.strip().removeprefix(self._bot.prefix).removeprefix("/").lower()
        )
        if found is None:
            raise UnknownCommandError(self._bot.prefix)
        embed = discord.Embed(title=f"{self._bot.prefix}{usage(found)}", colour=COLOUR)
        embed.description = say(f"commands.{found.name}")
        options = [
            f"`{option.name}` — {say(f'commands.{found.name}_{option.name}')}"
            for option in found.app_command.parameters
        ]
        if options:
            value = clipped("\n".join(options), MAX_FIELD)
            embed.add_field(name=say("help.options"), value=value, inline=False)
        embed.add_field(name=say("help.also"), value=f"`/{found.name}`", inline=False)
        return embed
