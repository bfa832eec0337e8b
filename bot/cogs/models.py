"""`!retrain`, `!model`, `!rollback`, `!resume`: start runs, and manage versions."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import discord
import structlog
from discord.ext import commands

from bot.announcements.announcer import PendingAnnouncement
from bot.commands.context import Context, send_reply
from bot.commands.registration import command, offering
from bot.embeds import replies
from bot.errors import RunBusyError
from bot.runs.progress import ProgressMessage, StartMessage, edit_methods
from bot.runs.remaining_time import RemainingTime
from bot.runs.training_runs import RunEnd
from bot.subprocesses.training_process import Line
from bot.texts import say
from bot.wiring import Parts
from storage import runs as run_records
from training.errors import RegistryError
from training.registry import promotion
from training.registry.sharing import shared_versions

log = structlog.stdlib.get_logger(__name__)
SIMILAR_TRIGGERS = {
    "retrain": ("nightly", "retrain", "forget"),
    "domain": ("domain",),
}  # for the remaining time


class Models(commands.Cog):
    """Commands for runs and model versions."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._background = parts.discord.bot, parts.operations.background
        self._registry, self._database = parts.storage.registry, parts.storage.database
        self._follower, self._runs = parts.inference.follower, parts.runs
        self._announcements = parts.announcing.announcements
        self._nightly, self._rollback = parts.scheduled.nightly, parts.scheduled.rollback
        self._proof = parts.scheduled.proof

    @command(
        "retrain",
        group="models",
        is_for_admins=True,
        lookalikes=("refrain", "restrain", "retain", "retrains"),
        usage="[votes|domain]",
    )
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

    @command("model", group="models", lookalikes=("modal", "mode", "modem", "modes", "models"))
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
        origin = None
        with suppress(RegistryError):  # it is damaged or missing
            origin = self._registry.card(domain) if domain is not None else None
        if origin is not None and origin.kind == "base":
            notes.append(say("model.from_base", prefix=self._bot.prefix))
        if origin is not None and origin.kind == "starter":
            notes.append(say("model.from_starter"))
        if not predictor.has_fast_path:
            notes.append(say("model.without_fast_path"))
        is_loaded = predictor.challenger is not None
        notes += await self._proof.figures(predictor.version, is_loaded=is_loaded)
        if figure := await self._rollback.figure():
            notes.append(figure)
        embed = replies.model_embed(
            card, version=predictor.version, domain=domain, precision=predictor.precision, notes=notes
        )
        if (next_at := self._nightly.next_at()) is not None:
            embed.add_field(name=say("model.next_run"), value=discord.utils.format_dt(next_at, "R"))
        await send_reply(context, embed=embed)

    @command("rollback", group="models", is_for_admins=True, lookalikes=("rollbacks",))
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

    @command("resume", group="models", is_for_admins=True)
    async def resume(self, context: Context) -> None:
        """Resume nightly promotion after a rollback (admins)."""
        async with self._runs.moving:
            ended = await promotion.resume(self._registry, self._database, now=datetime.now(UTC))
        await send_reply(context, say("rollback.resumed") if ended else say("rollback.not_paused"))


def _requested_from(context: Context) -> dict[str, int | str | None]:
    """Return where a run was requested, and by whom."""
    return {
        "guild_id": context.guild.id if context.guild else None,
        "channel_id": context.channel.id,
        "asker_id": context.author.id,
        "interaction_token": context.interaction.token if context.interaction else None,
    }
