"""The Discord message that shows the progress of a run, edited within Discord's rate limits."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import discord
import structlog

from bot.announcements.sending import is_refused
from bot.background import Supervisor
from bot.commands.context import Context, send_reply
from bot.commands.error_replies import log_not_sent
from bot.embeds.replies import progress_text
from bot.errors import DISCORD_ERRORS, CannotWriteError, NotSentError
from bot.permissions import can_see
from bot.runs.remaining_time import RemainingTime
from bot.runs.training_runs import RunEnd
from bot.subprocesses.training_process import Line
from bot.texts import say

log = structlog.stdlib.get_logger(__name__)
# Discord allows about five messages and edits in five seconds a channel, most of which are for people's
# queries. For messages older than an hour it allows about three edits in twenty seconds.
PACES = ((60.0, 2.0), (600.0, 10.0))  # (up to this elapsed time, seconds between edits)
SLOW_S = 60.0
FIRST_PAUSE_S = 2.0  # after the message could not be sent
AWAY_S = 30.0  # after an edit that failed
UNAUTHORIZED = 401  # the interaction token has expired
TOKEN_SERVES = timedelta(minutes=14)  # of its fifteen, so that the last edit is in time


@dataclass(frozen=True, slots=True)
class EditMethod:
    """One way to edit a message, usable until `over_at`."""

    edit: Callable[..., Awaitable[Any]]
    over_at: datetime | None = None


class StartMessage:
    """The message that will show the progress; sending is retried while Discord is unreachable.

    Args:
        context: of the command that is replied to.
        nonce: lets Discord recognise a message whose response was lost.
    """

    def __init__(self, context: Context, *, nonce: str) -> None:
        self.context, self._nonce = context, nonce
        self._message_id: int | None = None
        self._is_refused = False

    async def send(self) -> None:
        """Try to send it once; the outcome is logged."""
        try:
            reply = await self._sent() or await send_reply(
                self.context, say("run.starting"), nonce=self._nonce
            )
        except (discord.HTTPException, CannotWriteError) as error:
            self._is_refused = isinstance(error, CannotWriteError) or is_refused(error)
            log_not_sent(error)
        except (*DISCORD_ERRORS, NotSentError) as error:
            log_not_sent(error)
        else:
            self._message_id = reply.id

    async def _sent(self) -> discord.Message | None:
        """Return the reply to a slash command if Discord received it although its response was lost."""
        interaction = self.context.interaction
        if interaction is None or not interaction.response.is_done():
            return None
        reply = await interaction.original_response()
        return None if reply.flags.loading else reply

    async def sent_before(self, run: "asyncio.Task[RunEnd]") -> int | None:
        """Retry until it is sent. Returns its id, or None if Discord refuses or the run ends first."""
        pause_s = FIRST_PAUSE_S
        while self._message_id is None and not self._is_refused and not run.done():
            await asyncio.wait([run], timeout=pause_s)
            pause_s = min(2 * pause_s, SLOW_S)
            await self.send()
        return self._message_id


def edit_methods(context: Context, message_id: int) -> list[EditMethod]:
    """Return the ways to edit a message. By id works at any time, but only where the bot sees the channel."""
    bot: discord.Client = context.bot
    message = bot.get_partial_messageable(context.channel.id).get_partial_message(message_id)
    interaction, ways = context.interaction, [EditMethod(message.edit)]
    if interaction is not None:
        over_at = interaction.created_at + TOKEN_SERVES
        ways.append(EditMethod(partial(interaction.followup.edit_message, message_id), over_at))
        if not can_see(interaction):
            del ways[0]
    return ways


class ProgressMessage:
    """Edits one message with the progress of a run.

    Args:
        ways: methods to edit it, the best first.
        left: estimates the remaining time.
        latest: its newest line is shown.
        supervisor: records a line that could not be shown.
        elsewhere: the last text, shown when the message can no longer be edited before the run ends.
        refresh_s: how long the times in the message may stand still while a step brings no new line.
    """

    def __init__(
        self,
        ways: Sequence[EditMethod],
        left: RemainingTime,
        *,
        latest: deque[Line],
        supervisor: Supervisor,
        elsewhere: str,
        refresh_s: float = SLOW_S,
    ) -> None:
        self._ways, self._left, self._latest = deque(ways), left, latest
        self._supervisor, self._elsewhere = supervisor, elsewhere
        self._refresh_s = refresh_s
        self._began = time.monotonic()
        self._line: Line | None = None
        self._shown_at = 0.0
        self._away_until = 0.0

    async def show_until(self, run: "asyncio.Task[RunEnd]") -> None:
        """Edit the message until the run ends or no method to edit it is left."""
        while self._ways and not run.done():
            now, wait_s = time.monotonic(), edit_interval_s(time.monotonic() - self._began)
            if (over_at := self._ways[0].over_at) is not None:
                wait_s = min(wait_s, (over_at - datetime.now(UTC)).total_seconds())
                if wait_s <= 0:
                    await self._edit(self._elsewhere)
                    return
            if now >= self._away_until and (line := self._line_to_show(now)) is not None:
                await self._supervisor.once("retrain", partial(self._show, line))
            await asyncio.wait([run], timeout=wait_s)

    def _line_to_show(self, now: float) -> Line | None:
        """Return the newest line; without a new one, the last once more when its times are old."""
        if self._latest:
            self._line, self._shown_at = self._latest.pop(), now
            return self._line
        if self._line is None or now - self._shown_at < self._refresh_s:
            return None
        self._shown_at = now
        return self._line

    async def _show(self, line: Line) -> None:
        step, done, total, now = line["step"], int(line["done"]), int(line["total"]), time.monotonic()
        left_s = self._left.estimate(step, done, total, now)
        await self._edit(progress_text(step, done, total, now - self._began, left_s=left_s))

    async def _edit(self, text: str) -> None:
        """Edit once; after a failure that is not a refusal, pause for `AWAY_S`."""
        while self._ways:
            try:
                await self._ways[0].edit(content=text)
            except discord.HTTPException as error:
                log.info("progress.not_shown", status=error.status, code=error.code)
                if is_refused(error) or error.status == UNAUTHORIZED:
                    self._ways.popleft()
                    continue
                self._away_until = time.monotonic() + AWAY_S
            except DISCORD_ERRORS as error:
                log.info("progress.not_shown", reason=str(error))
                self._away_until = time.monotonic() + AWAY_S
            return


def edit_interval_s(elapsed_s: float) -> float:
    """Seconds between two edits, by the run's elapsed time."""
    return next((pace for within_s, pace in PACES if elapsed_s < within_s), SLOW_S)
