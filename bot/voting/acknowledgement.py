"""Shows in a reply's footer that a thumb was noted: one edit per reply, shortly after its first thumb.

Nothing is edited while the channel is busy, since an edit takes the place of a reply in Discord's limits, or
once the reply is an hour old, because Discord then limits edits much more strictly.
"""

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

import discord
import structlog
from discord.utils import snowflake_time

from bot.answering.load_shedding import LoadShedding
from bot.background import Background
from bot.errors import DISCORD_ERRORS
from bot.texts import in_every_language, say
from storage.database import Database
from storage.errors import StorageError
from storage.people.personal_data import has_placeholder
from storage.votes.reactions import query_with_thumbs

log = structlog.stdlib.get_logger(__name__)
WAIT_S = 3.0  # several people often vote at once, and some change their mind
MAX_AGE = timedelta(minutes=55)  # Discord's hour, with a margin for clocks and queues
REMEMBERED = 4096  # replies that need no further look
SEPARATOR = " · "


class VoteAcknowledgement:
    """Edits the footers of replies in the background."""

    def __init__(
        self,
        client: discord.Client,
        database: Database,
        shedding: LoadShedding,
        background: Background,
    ) -> None:
        self._client, self._database = client, database
        self._shedding, self._background = shedding, background
        self._wait_s = WAIT_S
        self._seen: OrderedDict[int, None] = OrderedDict()  # replies that are edited, or about to be

    def thumb_noted(self, channel_id: int, message_id: int) -> None:
        """Acknowledge the thumbs of a reply, unless that was done or is about to be."""
        if message_id in self._seen or not _is_young(message_id):
            return
        self._seen[message_id] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        # As an endless task, so that it does not delay a shutdown.
        work = self._acknowledge(channel_id, message_id)
        self._background.start(work, name="vote acknowledged", is_endless=True)

    async def _acknowledge(self, channel_id: int, message_id: int) -> None:
        await asyncio.sleep(self._wait_s)
        try:
            is_done = await self._edit(channel_id, message_id)
        except (*DISCORD_ERRORS, StorageError) as error:  # the vote is stored; the reply may be gone
            log.info("vote.not_acknowledged", message_id=message_id, reason=str(error))
            return
        if not is_done:  # the next thumb may be acknowledged
            self._seen.pop(message_id, None)

    async def _edit(self, channel_id: int, message_id: int) -> bool:
        """Edit the footer. Returns False if a later thumb is to be acknowledged instead."""
        query = await query_with_thumbs(self._database, message_id)
        if query is None or not self._shedding.is_quiet(channel_id):
            return False
        if has_placeholder(query):  # votes on such sentences do not count, as the footer says already
            return True
        reply = await self._client.get_partial_messageable(channel_id).fetch_message(message_id)
        footer = reply.embeds[0].footer.text if reply.embeds else None
        noted = in_every_language("prediction.noted")
        if footer is None or any(text in footer for text in noted):
            return True
        embed = reply.embeds[0].set_footer(text=f"{footer}{SEPARATOR}{say('prediction.noted')}")
        await reply.edit(embeds=[embed, *reply.embeds[1:]])
        return True


def _is_young(message_id: int) -> bool:
    return datetime.now(UTC) - snowflake_time(message_id) < MAX_AGE
