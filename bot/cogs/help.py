"""`!help`: lists all commands, or explains one."""

import contextlib
from typing import Any, get_args

import discord
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.error_replies import usage
from bot.commands.registration import Group, command, offering
from bot.connection.session import UNREACHABLE
from bot.embeds.replies import COLOUR, MAX_FIELD, clipped
from bot.errors import NotAdminError, UnknownCommandError
from bot.texts import say
from bot.wiring import Parts
from training.corpus.language import examples


class Help(commands.Cog):
    """The command `!help`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._listened = parts.discord.bot, parts.discord.endpoint.listen_channel_ids

    @command("help", group="help", is_ephemeral=True)
    async def help(self, context: Context, name: str | None = None) -> None:
        """List all commands, or explain one."""
        embed = await self._all(context) if name is None else self._one(name)
        await send_reply(context, embed=embed, ephemeral=True)

    @help.autocomplete("name")
    @offering
    async def _complete_name(self, interaction: discord.Interaction, typed: str) -> list[str]:
        return sorted(c.name for c in self._bot.commands if typed.lower() in c.name)

    async def _all(self, context: Context) -> discord.Embed:
        """List the commands that this person may use."""
        prefix, is_admin = self._bot.prefix, await self._is_admin(context)
        embed = discord.Embed(title=say("help.title"), colour=COLOUR)
        embed.description = say("help.body", prefix=prefix, example=examples().example)
        embed.add_field(name=say("help.without_command"), value=self._where_heard(context), inline=False)
        for group in get_args(Group):
            listed: list[Any] = [
                c
                for c in self._bot.commands
                if c.extras["group"] == group and (is_admin or not c.extras["admin"])
            ]
            if lines := [
                f"`{prefix}{usage(c)}` — {say(f'commands.{c.name}')}"
                for c in sorted(listed, key=lambda c: str(c.name))
            ]:
                heading = say(f"help.groups.{group}")
                embed.add_field(name=heading, value=clipped("\n".join(lines), MAX_FIELD), inline=False)
        embed.set_footer(text=say("help.more", prefix=prefix))
        return embed

    async def _is_admin(self, context: Context) -> bool:
        try:
            await self._bot.access.require_admin(context.author, context.guild.id if context.guild else None)
        except (NotAdminError, *UNREACHABLE):
            return False
        return True

    def _where_heard(self, context: Context) -> str:
        """Say where a sentence needs no command; in a server, with the channels there that are listed."""
        listened = self._listened if self._bot.intents.message_content else ()
        found = [self._bot.get_channel(channel_id) for channel_id in listened]
        here: list[Any] = [
            channel
            for channel in found
            if isinstance(channel, discord.abc.GuildChannel | discord.Thread)
            and context.guild in (None, channel.guild)
        ]
        if not here:
            return say("help.heard")
        return say("help.heard_in", channels=", ".join(channel.mention for channel in here))

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
        with contextlib.suppress(KeyError):  # not every command has an example
            known = examples()
            example = say(f"examples.{found.name}", example=known.example, word=known.word)
            embed.add_field(name=say("help.example"), value=f"`{self._bot.prefix}{example}`", inline=False)
        embed.add_field(name=say("help.also"), value=f"`/{found.name}`", inline=False)
        return embed
