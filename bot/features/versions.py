"""`!versions`: lists the newest model versions."""

from collections.abc import Collection

import discord
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_DESCRIPTION, clipped, formatted_time
from bot.texts import say
from bot.wiring import Parts
from training.errors import RegistryError
from training.registry.card import Card

SHOWN_VERSIONS = 12


class Versions(commands.Cog):
    """The command `!versions`."""

    def __init__(self, parts: Parts) -> None:
        self._registry = parts.storage.registry

    @command("versions", group="models", lookalikes=("version",))
    async def versions(self, context: Context) -> None:
        """List the newest model versions."""
        names = reversed(self._registry.versions()[-SHOWN_VERSIONS:])
        embed = versions_embed(
            [(name, self._card(name)) for name in names],
            champion=self._registry.champion(),
            domain=self._registry.domain(),
            withdrawn=self._registry.withdrawn(),
        )
        await send_reply(context, embed=embed)

    def _card(self, version: str) -> Card | None:
        """Return the card of a version; None if it is damaged or missing."""
        try:
            return self._registry.card(version)
        except RegistryError:
            return None


def add(parts: Parts) -> None:
    """Add `!versions`."""
    parts.discord.bot.add_cogs(Versions(parts))


def versions_embed(
    versions: list[tuple[str, Card | None]],
    *,
    champion: str | None,
    domain: str | None,
    withdrawn: Collection[str] = (),
) -> discord.Embed:
    """List versions with their cards, in the given order; a card of None is damaged."""
    lines = []
    for version, card in versions:
        named = ((say("versions.serves"), champion), (say("versions.domain"), domain))
        marks = [mark for mark, one in named if version == one]
        if version in withdrawn:
            marks.append(say("versions.withdrawn"))
        if card is not None and card.verdict and not card.verdict.get("is_promotable"):
            marks.append(say("versions.not_promoted"))
        suffix = f" — {', '.join(marks)}" if marks else ""
        name = f"**{version}**" if version == champion else version
        kind = say(f"versions.kinds.{card.kind}") if card else ""
        about = f"{kind} · {formatted_time(card.created_at)}" if card else say("versions.damaged")
        lines.append(f"{name} · {about}{suffix}")
    text = clipped("\n".join(lines) or say("versions.none"), MAX_DESCRIPTION)
    return discord.Embed(title=say("versions.title"), description=text, colour=COLOUR)
