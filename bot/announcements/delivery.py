"""Where an announcement is posted, and with which content."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import discord
import structlog

from bot.announcements.decision_buttons import decision_view
from bot.announcements.sending import HISTORY, Post, in_best_form, is_refused, send
from bot.announcements.verdicts import Verdicts
from bot.embeds.replies import notice_embed
from bot.errors import DISCORD_ERRORS
from bot.runs.training_runs import RunEnd
from bot.texts import in_every_language, say
from storage.announcements import Announcement

log = structlog.stdlib.get_logger(__name__)
NightlyMessage = Callable[[RunEnd, str], Awaitable[tuple[discord.Embed, discord.File | None]]]
TOKEN_LIVES = timedelta(minutes=14, seconds=30)  # fifteen minutes, less what a request takes
TOKEN_IS_OVER = 50027
UNSEEN = (10003, 50001)  # the channel is gone, or the bot cannot see it
CLOCKS_DIFFER = timedelta(seconds=10)  # between this machine and Discord
SURELY_UNSENT = timedelta(seconds=90)  # a first attempt within this time after storing was not sent before


class NowhereError(Exception):
    """No channel accepts the announcement."""


class Delivery:
    """Edits or sends one message; `channel_id` is the report channel's.

    Attributes:
        nightly_message: Builds the message of a nightly run, given how it ended and a sentence on how people
            like the champion; None: a nightly run gets a verdict, as any other.
    """

    def __init__(self, client: discord.Client, *, verdicts: Verdicts, channel_id: int | None) -> None:
        self._client, self._channel_id, self._verdicts = client, channel_id, verdicts
        self.nightly_message: NightlyMessage | None = None

    @property
    def elsewhere(self) -> str:
        """Where a verdict is posted once the interaction token has expired."""
        if self._channel_id is None:
            return say("run.told_directly")
        return say("run.told_in_channel", channel=f"<#{self._channel_id}>")

    async def post(self, one: Announcement, end: RunEnd) -> tuple[int, int] | None:
        """Replace the progress message, or else send a new message to the best channel that accepts one.

        Returns the ids of channel and message; None if nothing is to be posted.

        A nightly run that was skipped because it would have repeated the one before posts nothing;
        `!versions` shows it.

        Raises:
            NowhereError: no channel does.
            discord.DiscordException, aiohttp.ClientError, OSError: Discord is unreachable.
        """
        if one.kind == "digest" and end.run is not None and end.run.is_repetition:
            return None
        if one.kind == "verdict" and one.message_id is None and (found := await self._begun(one)) is not None:
            one = replace(one, message_id=found)
        refused: list[str] = []
        refusal: discord.HTTPException | None = None
        if one.message_id is not None:
            refusal = await self._edit(one, end)
            if refusal is None:
                return one.channel_id or 0, one.message_id
        is_seen = refusal is None or refusal.code not in UNSEEN
        async for channel, channel_id in self._places(one, is_seen=is_seen, refused=refused):
            try:
                sent = await send(
                    channel,
                    await self._post(one, end, channel_id),
                    nonce=f"{one.id:x}",
                    me=self._client.user.id if self._client.user else 0,
                    unless_sent_since=one.created_at - CLOCKS_DIFFER if _may_be_sent(one) else None,
                )
            except discord.HTTPException as error:
                if not is_refused(error):
                    raise
                refused.append(f"{channel_id}: {error.text or error.status}")
            else:
                if channel_id == one.channel_id and not isinstance(refusal, discord.NotFound):
                    await self._edit_again(one, end)
                return channel_id, sent.id
        raise NowhereError("; ".join(refused) or "there is no channel for it")

    async def take_buttons(self, channel_id: int, message_id: int) -> None:
        """Remove the buttons from a verdict, because nothing is left to decide."""
        try:
            channel = self._client.get_partial_messageable(channel_id)
            await channel.get_partial_message(message_id).edit(view=None)
        except DISCORD_ERRORS as error:
            log.info("message.not_edited", message_id=message_id, reason=str(error) or type(error).__name__)

    async def _begun(self, one: Announcement) -> int | None:
        """Find the progress message when the process crashed before it stored its id."""
        if one.channel_id is None:
            return None
        channel, me = self._client.get_partial_messageable(one.channel_id), self._client.user
        try:
            since, begun = one.created_at - CLOCKS_DIFFER, in_every_language("run.starting")
            async for message in channel.history(limit=HISTORY, after=since, oldest_first=False):
                if message.author == me and message.content in begun:
                    return message.id
        except discord.HTTPException as error:
            if not is_refused(error):
                raise
        return None

    async def _edit(self, one: Announcement, end: RunEnd) -> discord.HTTPException | None:
        """Replace the progress message by the verdict. Returns the refusal, or None on success."""
        assert one.channel_id is not None and one.message_id is not None  # noqa: PT018
        post = await self._post(one, end, one.channel_id)
        refusal: discord.HTTPException | None = None
        for edit in self._edits(one.channel_id, one.message_id, one):
            try:
                await in_best_form(post, edit)
            except discord.HTTPException as error:
                if not is_refused(error) and error.code != TOKEN_IS_OVER:
                    raise
                log.info("message.not_edited", message_id=one.message_id, code=error.code)
                refusal = refusal or error
            else:
                return None
        return refusal

    async def _edit_again(self, one: Announcement, end: RunEnd) -> None:
        """Edit the progress message after a new message has unarchived its thread."""
        if one.message_id is not None:
            try:
                await self._edit(one, end)
            except discord.DiscordException as error:
                log.info("message.not_edited", message_id=one.message_id, reason=str(error))

    def _edits(
        self, channel_id: int, message_id: int, one: Announcement
    ) -> list[Callable[..., Awaitable[Any]]]:
        """Return the ways to edit the message. An interaction token needs no permission, but expires soon."""
        channel = self._client.get_partial_messageable(channel_id)
        edits: list[Callable[..., Awaitable[Any]]] = [channel.get_partial_message(message_id).edit]
        if one.interaction_token is not None and datetime.now(UTC) - one.created_at < TOKEN_LIVES:
            application_id = self._client.application_id or 0
            hook = discord.Webhook.partial(application_id, one.interaction_token, client=self._client)
            edits.append(partial(hook.edit_message, message_id))
        return edits

    async def _places(
        self, one: Announcement, *, is_seen: bool, refused: list[str]
    ) -> AsyncIterator[tuple[discord.abc.Messageable, int]]:
        """Return the channels that may get it, the best first."""
        ids = [one.channel_id if is_seen else None, self._channel_id]
        for channel_id in dict.fromkeys(one_id for one_id in ids if one_id is not None):
            yield self._client.get_partial_messageable(channel_id), channel_id
        if one.asker_id is not None:
            try:
                direct = await self._client.create_dm(discord.Object(one.asker_id))
            except discord.HTTPException as error:
                if not is_refused(error):
                    raise
                refused.append(f"direct message: {error.text or error.status}")
            else:
                yield direct, direct.id

    async def _post(self, one: Announcement, end: RunEnd, channel_id: int) -> Post:
        if one.kind == "digest" and self.nightly_message is not None:
            return Post.of(*await self.nightly_message(end, one.figure), view=decision_view(end.run))
        if one.kind in ("verdict", "digest"):
            with_figure = replace(end, sentence=f"{end.sentence} {one.figure}".rstrip())
            embed = await self._verdicts.embed(with_figure, channel_id=channel_id)
            return Post.of(embed, view=decision_view(end.run))
        return Post.of(notice_embed(end.sentence, end.run), view=decision_view(end.run))


def _may_be_sent(one: Announcement) -> bool:
    """Whether an earlier attempt may have been sent although its response was lost."""
    return one.attempts > 0 or datetime.now(UTC) - one.created_at > SURELY_UNSENT
