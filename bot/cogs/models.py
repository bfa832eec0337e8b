"""`!retrain`, `!model`, `!versions`, `!rollback`, `!resume`."""

import asyncio
import time
from collections import deque
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.background import Background
from bot.children.child import Line
from bot.client import FillBot, command
from bot.context import Context, answer
from bot.embeds import replies
from bot.embeds.verdicts import Verdicts
from bot.fill.serving import Serving
from bot.nights.runs import RunEnd, Runs
from bot.nights.schedule import Nightly
from bot.nights.time_left import TimeLeft
from bot.nights.watch import Watch
from bot.texts import say
from storage import runs as run_records
from storage.database import Database
from training import promotion
from training.cards import Card
from training.errors import RegistryError
from training.registry import Registry

log = structlog.stdlib.get_logger(__name__)
EDIT_EVERY_S = 1.5  # Discord allows about five edits in five seconds
SHOWN_VERSIONS = 12
LIKE = {"retrain": ("nightly", "retrain", "forget"), "domain": ("domain",)}  # runs that take as long


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
        verdicts: Verdicts,
        background: Background,
        nightly: Nightly,
        watch: Watch,
    ) -> None:
        """Take what the commands need."""
        self._watch = watch
        self._bot, self._registry, self._database = bot, registry, database
        self._serving, self._runs, self._background = serving, runs, background
        self._verdicts, self._nightly = verdicts, nightly

    @command("retrain", is_for_admins=True, usage="[votes|domain]")
    @app_commands.describe(what=say("commands.retrain_what"))
    async def retrain(self, context: Context, what: Literal["votes", "domain"] = "votes") -> None:
        """Learn from the votes now (admins)."""
        trigger = "retrain" if what == "votes" else "domain"
        latest: deque[Line] = deque(maxlen=1)
        earlier_s = await run_records.durations_s(self._database, *LIKE[trigger])
        run = self._runs.begin(trigger, on_progress=latest.append)
        reply = await answer(context, say("run.starting"))
        # By its id: the answer to a slash command can be edited for fifteen minutes only, a message for ever.
        message = self._bot.get_partial_messageable(context.channel.id).get_partial_message(reply.id)
        left = TimeLeft(time.monotonic(), earlier_s=earlier_s)
        self._background.start(self._follow(run, latest, message, left), name="retrain")

    async def _follow(
        self, run: asyncio.Task[RunEnd], latest: deque[Line], message: discord.PartialMessage, left: TimeLeft
    ) -> None:
        """Edit one message while the run goes on, and put the verdict there at the end."""
        started = time.monotonic()
        while not run.done():
            await asyncio.wait([run], timeout=EDIT_EVERY_S)
            if latest and not run.done():
                line, now = latest.pop(), time.monotonic()
                show = partial(_show_progress, message, line, left, now=now, started=started)
                await self._background.supervisor.once("retrain", show)
        await _edit(
            message, None, embed=await self._verdicts.embed(run.result(), channel_id=message.channel.id)
        )

    @command("model")
    async def model(self, context: Context) -> None:
        """Show which model version answers, and what it learnt."""
        predictor = self._serving.predictor
        card = self._registry.card(predictor.version)
        domain = self._registry.domain()
        notes = [self._serving.trouble] if self._serving.trouble else []
        if (away := self._registry.trouble) is not None:
            notes.append(say("model.others_not_seen", trouble=away))
        if (service := predictor.service) is not None:
            notes.append(service)
        origin = self._card(domain) if domain is not None else None
        if origin is not None and origin.kind == "base":
            notes.append(say("model.from_base", prefix=self._bot.prefix))
        if origin is not None and origin.kind == "starter":
            notes.append(say("model.from_starter"))
        if figure := await self._watch.figure():
            notes.append(figure)
        embed = replies.model_embed(
            card, serving=predictor.version, domain=domain, numbers=predictor.numbers, notes=notes
        )
        if (next_at := self._nightly.next_at()) is not None:
            embed.add_field(name=say("model.next_run"), value=discord.utils.format_dt(next_at, "R"))
        await answer(context, embed=embed)

    @command("versions")
    async def versions(self, context: Context) -> None:
        """List the newest model versions."""
        names = reversed(self._registry.versions()[-SHOWN_VERSIONS:])
        embed = replies.versions_embed(
            [(name, self._card(name)) for name in names],
            champion=self._registry.champion(),
            domain=self._registry.domain(),
            withdrawn=self._registry.withdrawn(),
        )
        await answer(context, embed=embed)

    @command("rollback", is_for_admins=True)
    @app_commands.describe(version=say("commands.rollback_version"))
    async def rollback(self, context: Context, version: str | None = None) -> None:
        """Let an earlier model version answer again (admins)."""
        wanted = version.strip().lower() if version else None
        left, now = self._registry.champion(), datetime.now(UTC)
        async with self._runs.moving:
            arrived = await promotion.roll_back(self._registry, self._database, wanted, now=now)
        await self._serving.follow_champion(again=True)
        log.info("model.rolled_back", model_version=arrived)
        if arrived == left:
            await answer(context, say("rollback.is_champion", version=arrived))
        else:
            await answer(context, say("rollback.done", version=arrived, prefix=self._bot.prefix))

    @rollback.autocomplete("version")
    async def _complete_version(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        if not await self._bot.access.may_ask(interaction.user, interaction.guild_id):
            return []
        left_out = {*self._registry.withdrawn(), self._registry.champion()}
        known = reversed(self._registry.versions())
        names = [name for name in known if typed.lower() in name and name not in left_out]
        return [app_commands.Choice(name=name, value=name) for name in names[:25]]

    @command("resume", is_for_admins=True)
    async def resume(self, context: Context) -> None:
        """End the pause of nightly promotion after a rollback (admins)."""
        async with self._runs.moving:
            ended = await promotion.resume(self._registry, self._database, now=datetime.now(UTC))
        await answer(context, say("rollback.resumed") if ended else say("rollback.not_paused"))

    def _card(self, version: str) -> Card | None:
        """The card of a version; None when it is damaged or gone."""
        try:
            return self._registry.card(version)
        except RegistryError:
            return None


async def _show_progress(
    message: discord.PartialMessage, line: Line, left: TimeLeft, *, now: float, started: float
) -> None:
    """Say how far a run is, and how long it may take yet."""
    step, done, total = line["step"], int(line["done"]), int(line["total"])
    left_s = left.estimate(step, done, total, now)
    await _edit(message, replies.progress_text(step, done, total, now - started, left_s=left_s))


async def _edit(
    message: discord.PartialMessage, text: str | None, *, embed: discord.Embed | None = None
) -> None:
    """Edit; a message that was deleted meanwhile, or cannot be reached, is left alone."""
    try:
        await message.edit(content=text, embed=embed)
    except discord.NotFound:
        log.info("message.gone", message_id=message.id)
    except (discord.DiscordException, aiohttp.ClientError, OSError):
        log.warning("message.not_edited", message_id=message.id, exc_info=True)
