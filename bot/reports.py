"""The report channel, where verdicts of nightly runs and trouble are told."""

import aiohttp
import discord
import structlog

from bot.replies import notice_embed
from bot.runs import RunEnd
from bot.verdicts import Verdicts

log = structlog.stdlib.get_logger(__name__)


class Reports:
    """Posts to one channel, or nowhere when there is none."""

    def __init__(self, client: discord.Client, verdicts: Verdicts, *, channel_id: int | None) -> None:
        """Take the channel; it is looked up by nobody until something is posted."""
        self._client, self._verdicts, self._channel_id = client, verdicts, channel_id

    async def post_verdict(self, end: RunEnd) -> None:
        """Tell how a run ended."""
        if self._channel_id is not None:
            await self._post(await self._verdicts.embed(end, channel_id=self._channel_id), self._channel_id)

    async def post_notice(self, sentence: str) -> None:
        """Tell of trouble."""
        if self._channel_id is not None:
            await self._post(notice_embed(sentence), self._channel_id)

    async def _post(self, embed: discord.Embed, channel_id: int) -> None:
        """Post; that the channel cannot be written is logged, and never raised: what is told did happen."""
        try:
            await self._client.get_partial_messageable(channel_id).send(embed=embed)
        except (discord.DiscordException, aiohttp.ClientError, OSError):
            log.warning("report.not_posted", channel_id=channel_id, exc_info=True)
