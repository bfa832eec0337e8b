"""`!retrain`, `!model`, `!versions`, `!rollback`, `!resume`: start runs, and manage versions."""

import asyncio
import time
from collections import deque
from datetime import UTC, datetime
from typing import Literal

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.announcements.announcer import Announcer, PendingAnnouncement
from bot.answering.champion_follower import BotChampionFollower
from bot.background import Background
from bot.client import FillBot, command
from bot.cogs.choices import offering
from bot.context import Context, send_reply
from bot.embeds import replies
from bot.errors import RunBusyError
from bot.runs.automatic_rollback import AutomaticRollback
from bot.runs.progress import ProgressMessage, StartMessage, edit_methods
from bot.runs.remaining_time import RemainingTime
from bot.runs.schedule import NightlySchedule
from bot.runs.training_runs import RunEnd, TrainingRuns
from bot.subprocesses.training_process import Line
from bot.texts import say
from bot.texts.descriptions import described
from storage import runs as run_records
from storage.database import Database
from training.errors import RegistryError
from training.registry import promotion
from training.registry.card import Card
from training.registry.sharing import shared_versions
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)
SHOWN_VERSIONS = 12
SIMILAR_TRIGGERS = {
    "retrain": ("nightly", "retrain", "forget"),
    "domain": ("domain",),
}  # for the remaining time


class Models(commands.Cog):
    """Commands for runs and model versions."""

    def __init__(
        self,
        bot: FillBot,
        *,
        registry: Registry,
        database: Database,
        follower: BotChampionFollower,
        runs: TrainingRuns,
        announcements: Announcer,
        background: Background,
        nightly: NightlySchedule,
        rollback: AutomaticRollback,
    ) -> None:
        self._rollback = rollback
        self._bot, self._registry, self._database = bot, registry, database
        self._follower, self._runs, self._background = follower, runs, background
        self._announcements, self._nightly = announcements, nightly

    @command("retrain", is_for_admins=True, usage="[votes|domain]")
    @app_commands.describe(what=described("retrain_what"))
    async def retrain(self, context: Context, what: Literal["votes", "domain"] = "votes") -> None:
        """Learn from the votes now (admins)."""
        trigger = "retrain" if what == "votes" else "domain"
        latest: deque[Line] = deque(maxlen=1)
        earlier_s = await run_records.durations_s(self._database, *SIMILAR_TRIGGERS[trigger])
        expected = await self._announcements.expect("verdict", trigger, **_requested_from(context))
        try:
            run = self._runs.begin(trigger, on_progress=latest.append, on_opened=expected.opened)
        except RunBusyError:
            await expected.withdraw()
            raise
        left = RemainingTime(time.monotonic(), earlier_s=earlier_s)
        starting = StartMessage(context, nonce=expected.nonce)
        await starting.send()
        self._background.start(self._follow(starting, run, expected, latest, left), name="retrain")

    async def _follow(
        self,
        starting: StartMessage,
        run: asyncio.Task[RunEnd],
        expected: PendingAnnouncement,
        latest: deque[Line],
        left: RemainingTime,
    ) -> None:
        """Show the run's progress in one message, and its verdict there at the end."""
        async with expected:
            message_id = await starting.sent_before(run)
            if message_id is not None:
                await expected.place(message_id=message_id)
                progress = ProgressMessage(
                    edit_methods(starting.context, message_id),
                    left,
                    latest=latest,
                    supervisor=self._background.supervisor,
                    elsewhere=self._announcements.elsewhere,
                )
                await progress.show_until(run)
            await expected.conclude(await run)

    @command("model")
    async def model(self, context: Context) -> None:
        """Show which model version answers, and what it learnt."""
        predictor = self._follower.predictor
        card = self._registry.card(predictor.version)
        domain = self._registry.domain()
        notes = [self._follower.trouble] if self._follower.trouble else []
        shared = shared_versions(self._registry)
        if shared is not None and shared.trouble is not None:
            notes.append(say("model.others_not_seen", trouble=shared.trouble))
        if (service := predictor.service) is not None:
            notes.append(service)
        origin = self._card(domain) if domain is not None else None
        if origin is not None and origin.kind == "base":
            notes.append(say("model.from_base", prefix=self._bot.prefix))
        if origin is not None and origin.kind == "starter":
            notes.append(say("model.from_starter"))
        if figure := await self._rollback.figure():
            notes.append(figure)
        embed = replies.model_embed(
            card, version=predictor.version, domain=domain, precision=predictor.precision, notes=notes
        )
        if (next_at := self._nightly.next_at()) is not None:
            embed.add_field(name=say("model.next_run"), value=discord.utils.format_dt(next_at, "R"))
        await send_reply(context, embed=embed)

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
        await send_reply(context, embed=embed)

    @command("rollback", is_for_admins=True)
    @app_commands.describe(version=described("rollback_version"))
    async def rollback(self, context: Context, version: str | None = None) -> None:
        """Go back to an earlier model version (admins)."""
        wanted = version.strip().lower() if version else None
        left, now = self._registry.champion(), datetime.now(UTC)
        async with self._runs.moving:
            arrived = await promotion.roll_back(self._registry, self._database, wanted, now=now)
        await self._follower.follow_champion(again=True)
        log.info("model.rolled_back", model_version=arrived)
        if arrived == left:
            await send_reply(context, say("rollback.is_champion", version=arrived))
        else:
            await send_reply(context, say("rollback.done", version=arrived, prefix=self._bot.prefix))

    @rollback.autocomplete("version")
    @offering
    async def _complete_version(self, interaction: discord.Interaction, typed: str) -> list[str]:
        if not await self._bot.access.may_ask(interaction.user, interaction.guild_id):
            return []
        left_out = {*self._registry.withdrawn(), self._registry.champion()}
        known = reversed(self._registry.versions())
        return [name for name in known if typed.lower() in name and name not in left_out]

    @command("resume", is_for_admins=True)
    async def resume(self, context: Context) -> None:
        """Resume nightly promotion after a rollback (admins)."""
        async with self._runs.moving:
            ended = await promotion.resume(self._registry, self._database, now=datetime.now(UTC))
        await send_reply(context, say("rollback.resumed") if ended else say("rollback.not_paused"))

    def _card(self, version: str) -> Card | None:
        """Return the card of a version; None if it is damaged or missing."""
        try:
            return self._registry.card(version)
        except RegistryError:
            return None


def _requested_from(context: Context) -> dict[str, int | str | None]:
    """Return where a run was requested, and by whom."""
    return {
        "guild_id": context.guild.id if context.guild else None,
        "channel_id": context.channel.id,
        "asker_id": context.author.id,
        "interaction_token": context.interaction.token if context.interaction else None,
    }
