"""`!retrain`, `!model`, `!versions`, `!rollback`, `!resume`, `!help`."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Literal

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot import replies
from bot.background import Background
from bot.child import Line
from bot.client import Context, FillBot
from bot.schedule import Nightly, RunEnd, Runs
from bot.serving import Serving
from storage.database import Database
from training import promotion
from training.registry import Registry

log = structlog.stdlib.get_logger(__name__)
EDIT_EVERY_S = 1.5  # Discord allows about five edits in five seconds
SHOWN_VERSIONS = 12


class Models(commands.Cog):
    """Train, look at and choose the model."""

    def __init__(
        self,
        bot: FillBot,
        *,
        registry: Registry,
        database: Database,
        serving: Serving,
        runs: Runs,
        background: Background,
        nightly: Nightly,
    ) -> None:
        """Take what the commands need."""
        self._bot, self._registry, self._database = bot, registry, database
        self._serving, self._runs, self._background = serving, runs, background
        self._nightly = nightly

    @commands.hybrid_command(name="retrain")
    @app_commands.describe(what="votes: learn from the votes; domain: train the team's domain model anew")
    async def retrain(self, context: Context, what: Literal["votes", "domain"] = "votes") -> None:
        """Learn from the votes now (admins)."""
        await self._require_admin(context)
        trigger = "retrain" if what == "votes" else "domain"
        latest: list[Line] = []
        run = asyncio.ensure_future(self._runs.start(trigger, on_progress=lambda line: latest.append(line)))
        await asyncio.sleep(0)
        if run.done():
            run.result()  # refused: a run is in progress
        message = await context.reply("⏳ The run is starting …", mention_author=False)
        self._background.start(self._follow(run, latest, message), name="retrain")

    async def _follow(
        self, run: "asyncio.Future[RunEnd]", latest: list[Line], message: discord.Message
    ) -> None:
        """Edit one message while the run goes on, and put the verdict there at the end."""
        started, shown = time.monotonic(), ""
        while not run.done():
            await asyncio.wait([run], timeout=EDIT_EVERY_S)
            if not latest or run.done():
                continue
            line = latest[-1]
            del latest[:]
            text = replies.progress_text(str(line["step"]), int(line["done"]), int(line["total"]))
            text = f"{text} · {time.monotonic() - started:.0f} s"
            if text != shown:
                shown = text
                await _edit(message, content=text)
        end = await run
        if end.run is None:
            await _edit(message, content=f"The run failed: {replies.escape(end.sentence)}")
            return
        await _edit(message, content=None, embed=replies.verdict_embed(end.run, end.sentence))

    @commands.hybrid_command(name="model")
    async def model(self, context: Context) -> None:
        """Show which model version answers, and what it learnt."""
        predictor = self._serving.predictor
        card = self._registry.card(predictor.version)
        domain = self._registry.domain()
        notes = [self._serving.trouble] if self._serving.trouble else []
        if domain is not None and self._registry.card(domain).kind in ("base", "starter"):
            notes.append(
                f"Nights start from the plain {self._registry.card(domain).kind} model; an admin can build the "
                f"team's own with {self._bot.prefix}retrain domain."
            )
        embed = replies.model_embed(
            card, serving=predictor.version, domain=domain, precision=predictor.precision, notes=notes
        )
        if (next_at := self._nightly.next_at()) is not None:
            embed.add_field(name="Next nightly run", value=discord.utils.format_dt(next_at, "R"))
        await context.reply(embed=embed, mention_author=False)

    @commands.hybrid_command(name="versions")
    async def versions(self, context: Context) -> None:
        """List the newest model versions."""
        names = self._registry.versions()[-SHOWN_VERSIONS:]
        cards = [self._registry.card(name) for name in reversed(names)]
        embed = replies.versions_embed(
            cards, champion=self._registry.champion(), domain=self._registry.domain()
        )
        await context.reply(embed=embed, mention_author=False)

    @commands.hybrid_command(name="rollback")
    @app_commands.describe(version="Where to go back to, such as v0003; empty: the version before this one")
    async def rollback(self, context: Context, version: str | None = None) -> None:
        """Let an earlier model version answer again (admins)."""
        await self._require_admin(context)
        now = datetime.now(UTC)
        arrived = await promotion.roll_back(self._registry, self._database, version, now=now)
        await self._serving.follow_champion()
        log.info("model.rolled_back", model_version=arrived)
        text = (
            f"**{arrived}** answers again. Nightly promotion is paused until there are enough new votes, or an "
            f"admin says `{self._bot.prefix}resume`."
        )
        await context.reply(text, mention_author=False)

    @rollback.autocomplete("version")
    async def _complete_version(
        self, _interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        names = [name for name in reversed(self._registry.versions()) if typed.lower() in name]
        return [app_commands.Choice(name=name, value=name) for name in names[:25]]

    @commands.hybrid_command(name="resume")
    async def resume(self, context: Context) -> None:
        """End the pause of nightly promotion after a rollback (admins)."""
        await self._require_admin(context)
        ended = await promotion.resume(self._registry, self._database, now=datetime.now(UTC))
        text = "Nightly promotion goes on." if ended else "Nightly promotion is not paused."
        await context.reply(text, mention_author=False)

    @commands.hybrid_command(name="help")
    async def help(self, context: Context) -> None:
        """Show what I can do."""
        prefix = self._bot.prefix
        embed = discord.Embed(title="I fill blanks, and learn from your votes", colour=replies.COLOUR)
        embed.description = (
            f"Write a sentence with `[MASK]` where a word is missing: `{prefix}fill Nike shoes are very [MASK]`.\n"
            "Rate the bold word with 👍 or 👎; take it back or change it whenever you like. Every night I learn "
            "from all votes, and a better model takes over by itself."
        )
        lines = [
            f"`{prefix}{c.qualified_name}{' ' + c.signature if c.signature else ''}` — {c.short_doc}"
            for c in sorted(self._bot.commands, key=lambda c: c.qualified_name)
        ]
        embed.add_field(name="Commands", value="\n".join(lines), inline=False)
        await context.reply(embed=embed, mention_author=False)

    async def _require_admin(self, context: Context) -> None:
        await self._bot.access.require_admin(context.author, context.guild.id if context.guild else None)


async def _edit(message: discord.Message, **changes: object) -> None:
    """Edit; a message that was deleted meanwhile is left alone."""
    try:
        await message.edit(**changes)  # type: ignore[call-overload]
    except discord.NotFound:
        log.info("message.gone", message_id=message.id)
    except discord.HTTPException:
        log.warning("message.not_edited", message_id=message.id, exc_info=True)
