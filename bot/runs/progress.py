"""The message that shows how far a run is, edited seldom enough for Discord."""

import asyncio
import time
from collections import deque
from functools import partial

import aiohttp
import discord
import structlog

from bot.background import Supervisor
from bot.children.child import Line
from bot.context import Context, answer
from bot.embeds.replies import progress_text
from bot.errors import CannotWriteError, NotSentError
from bot.nights.runs import RunEnd
from bot.nights.time_left import TimeLeft
from bot.runs.sending import is_refused
from bot.texts import say
from bot.told import log_not_sent

log = structlog.stdlib.get_logger(__name__)
# A channel takes about five messages and edits in five seconds, of which people want most. Of messages older
# than an hour about three edits in twenty seconds are taken.
PACES = ((60.0, 2.0), (600.0, 10.0))  # (within the first so many seconds, an edit in so many seconds)
SLOW_S = 60.0
FIRST_PAUSE_S = 2.0  # after the message could not be sent
AWAY_S = 30.0  # after an edit that Discord did not take


class Starting:
    """The message that will show the progress, sent even where Discord is away for a moment."""

    def __init__(self, context: Context, *, nonce: str) -> None:
        """Reply to a command; by the nonce Discord knows a message whose answer was lost."""
        self._context, self._nonce = context, nonce
        self._message_id: int | None = None
        self._is_refused = False

    async def send(self) -> None:
        """Send it once; what becomes of that is logged."""
        try:
            reply = await self._sent() or await answer(self._context, say("run.starting"), nonce=self._nonce)
        except (discord.HTTPException, CannotWriteError) as error:
            self._is_refused = isinstance(error, CannotWriteError) or is_refused(error)
            log_not_sent(error)
        except (discord.DiscordException, NotSentError, aiohttp.ClientError, OSError) as error:
            log_not_sent(error)
        else:
            self._message_id = reply.id

    async def _sent(self) -> discord.Message | None:
        """The reply to a slash command that Discord has although its answer was lost."""
        interaction = self._context.interaction
        if interaction is None or not interaction.response.is_done():
            return None
        reply = await interaction.original_response()
        return None if reply.flags.loading else reply

    async def sent_before(self, run: "asyncio.Task[RunEnd]") -> discord.PartialMessage | None:
        """The message, once Discord has it; None: it refuses it, or the run was over first."""
        pause_s = FIRST_PAUSE_S
        while self._message_id is None and not self._is_refused and not run.done():
            await asyncio.wait([run], timeout=pause_s)
            pause_s = min(2 * pause_s, SLOW_S)
            await self.send()
        if self._message_id is None:
            return None
        # By its id: the answer to a slash command can be edited for fifteen minutes, a message for ever.
        bot: discord.Client = self._context.bot
        channel = bot.get_partial_messageable(self._context.channel.id)
        return channel.get_partial_message(self._message_id)


class Progress:
    """One message."""

    def __init__(
        self,
        message: discord.PartialMessage,
        left: TimeLeft,
        *,
        latest: deque[Line],
        supervisor: Supervisor,
    ) -> None:
        """Show the newest of `latest`; a line that cannot be shown is noted by the supervisor."""
        self._message, self._left, self._latest = message, left, latest
        self._supervisor = supervisor
        self._away_until = 0.0
        self._began = time.monotonic()
        self._is_refused = False

    async def show_until(self, run: "asyncio.Task[RunEnd]") -> None:
        """Edit the message until the run is over."""
        while not run.done():
            now = time.monotonic()
            if self._latest and not self._is_refused and now >= self._away_until:
                await self._supervisor.once("retrain", partial(self._show, self._latest.pop()))
            await asyncio.wait([run], timeout=pace_s(now - self._began))

    async def _show(self, line: Line) -> None:
        """Edit once; what Discord does not take is not tried again for a while."""
        step, done, total, now = line["step"], int(line["done"]), int(line["total"]), time.monotonic()
        left_s = self._left.estimate(step, done, total, now)
        try:
            await self._message.edit(
                content=progress_text(step, done, total, now - self._began, left_s=left_s)
            )
        except discord.HTTPException as error:
            self._is_refused = is_refused(error)
            self._away_until = time.monotonic() + AWAY_S
            log.info("progress.not_shown", message_id=self._message.id, status=error.status, code=error.code)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            self._away_until = time.monotonic() + AWAY_S
            log.info("progress.not_shown", message_id=self._message.id, reason=str(error))


def pace_s(elapsed_s: float) -> float:
    """How long to wait between two edits."""
    return next((pace for within_s, pace in PACES if elapsed_s < within_s), SLOW_S)
