"""`!undo`: takes a person's last vote back, be it a thumb, a choice in a menu or a suggestion."""

from datetime import UTC, datetime

import structlog
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import MAX_CONTENT, clipped, escape
from bot.errors import BotError
from bot.texts import say
from bot.visibility import open_channel_ids
from bot.wiring import Parts
from storage.votes.reactions import SUPER, ThumbsUndone
from storage.votes.undo import LastVote, last_vote, withdraw

log = structlog.stdlib.get_logger(__name__)
TRIES = 3  # a vote may change while it is taken back
MAX_QUERY = 300


class VoteChangedError(BotError):
    """The last vote changed whenever it was to be taken back."""

    def __init__(self) -> None:
        super().__init__(say("undo.changed"))


class Undo(commands.Cog):
    """The command `!undo`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._write_queue, self._in_flight = parts.storage.write_queue, parts.voting.in_flight

    @command("undo", group="learn", is_ephemeral=True)
    async def undo(self, context: Context) -> None:
        """Take the last vote back; used again, the one before it."""
        taken = await self._take_back(context.author.id, context.channel.id)
        if taken is None:
            await send_reply(context, say("undo.nothing"), ephemeral=True)
            return
        log.info("vote.undone", prediction_id=taken.prediction_id, via=taken.via, words=len(taken.words))
        is_private = context.interaction is not None or context.guild is None
        is_shown = is_private or taken.channel_id in {
            context.channel.id,
            *open_channel_ids(self._bot, context.channel.id),
        }
        text = undone_text(taken, is_shown=is_shown)
        await send_reply(context, clipped(text, MAX_CONTENT), ephemeral=True)

    async def _take_back(self, voter_id: int, channel_id: int) -> LastVote | None:
        """Take the last vote back and return it; None if there is no vote.

        Raises:
            VoteChangedError: It changed at each try.
        """
        async with self._in_flight.after_replies(channel_id):
            for _ in range(TRIES):
                await self._write_queue.flush_thumbs()  # those given before the command
                last = await last_vote(self._database, voter_id)
                if last is None:
                    return None
                if last.via == "reaction" and last.message_id is not None:
                    change = ThumbsUndone(last.message_id, voter_id, datetime.now(UTC))
                    count = await self._write_queue.change_thumbs(change)
                else:
                    count = await withdraw(self._database, voter_id, last)
                if count:
                    return last
        raise VoteChangedError


def add(parts: Parts) -> None:
    """Add `!undo`."""
    parts.discord.bot.add_cogs(Undo(parts))


def undone_text(taken: LastVote, *, is_shown: bool) -> str:
    """Say what was taken back; the sentence only if `is_shown`."""
    several = len({mask for mask, *_ in taken.words}) > 1
    votes = ", ".join(
        f"{'👍' if value > 0 else '👎'} {escape(f'{word} ({mask + 1})' if several else word)}"
        for mask, word, value in taken.words
    )
    what = say(f"undo.kinds.{taken.via}", votes=votes)
    if is_shown:
        line = say("undo.done", what=what, query=escape(clipped(taken.query, MAX_QUERY)))
    else:
        line = say("undo.done_elsewhere", what=what)
    if taken.via != "reaction":
        return line
    thumbs = dict.fromkeys((taken.thumbs or "").replace(SUPER, "").split(","))
    thumb = " ".join(thumbs) or ("👍" if taken.words[0][2] > 0 else "👎")
    return f"{line}\n{say('undo.thumb_stays', thumb=thumb)}"
