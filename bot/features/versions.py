"""`!versions`: lists the newest model versions, and says how the last run ended."""

from collections.abc import Collection

import discord
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_DESCRIPTION, MAX_FIELD, clipped, escape, formatted_time
from bot.embeds.run_figures import run_title
from bot.runs.training_runs import version_of
from bot.texts import named, say, translated
from bot.wiring import Parts
from storage import runs
from storage.runs import Run
from training.errors import RegistryError
from training.registry.card import Card

SHOWN_VERSIONS = 12


class Versions(commands.Cog):
    """The command `!versions`."""

    def __init__(self, parts: Parts) -> None:
        self._registry, self._database = parts.storage.registry, parts.storage.database

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
        if (run := await runs.latest_training(self._database)) is not None:
            made = version_of(self._registry, run)
            line = last_run_line(run, card=self._card(made) if made else None)
            embed.add_field(name=say("versions.last_run"), value=line)
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


def last_run_line(run: Run, *, card: Card | None) -> str:
    """Say when a run started, why, and how it ended; `card` is that of the version that it made."""
    how = translated(run.reason) or run_title(card, run)
    about = say("run.footer", id=run.id, trigger=named("run.triggers", run.trigger))
    return clipped(f"{about} · {formatted_time(run.started_at)} · {escape(how)}", MAX_FIELD)


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
            marks.append(say("versions.replaced") if version == champion else say("versions.withdrawn"))
        if card is not None and card.verdict and not card.verdict.get("is_promotable"):
            marks.append(say("versions.not_promoted"))
        suffix = f" — {', '.join(marks)}" if marks else ""
        name = f"**{version}**" if version == champion else version
        kind = say(f"versions.kinds.{card.kind}") if card else ""
        about = f"{kind} · {formatted_time(card.created_at)}" if card else say("versions.damaged")
        lines.append(f"{name} · {about}{suffix}")
    text = clipped("\n".join(lines) or say("versions.none"), MAX_DESCRIPTION)
    return discord.Embed(title=say("versions.title"), description=text, colour=COLOUR)
