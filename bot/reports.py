"""The report channel, where verdicts of nightly runs and trouble are told."""

import aiohttp
import discord
import structlog

log = structlog.stdlib.get_logger(__name__)


class Reports:
    """Posts to one channel, or nowhere when there is none."""

    def __init__(self, client: discord.Client, channel_id: int | None) -> None:
        """Take the channel; it is looked up by nobody until something is posted."""
        self._client, self._channel_id = client, channel_id

    async def post(self, embed: discord.Embed) -> None:
        """Post; a channel that cannot be written is logged, never raised: the run itself went on."""
        if self._channel_id is None:
            return
        try:
            await self._client.get_partial_messageable(self._channel_id).send(embed=embed)
        except (discord.DiscordException, aiohttp.ClientError, OSError):
            log.warning("report.not_posted", channel_id=self._channel_id, exc_info=True)
