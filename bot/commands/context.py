"""Replies to commands.

Shows progress (typing, or “is thinking” for a slash command), reduces replies where a permission is missing,
and retries.
"""

import asyncio
import io
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import discord
import structlog
from discord.ext import commands

from bot.embeds.replies import MAX_CONTENT, clipped
from bot.errors import CannotWriteError, LostReplyError, MissingPermissionError
from bot.permissions import (
    MISSING_PERMISSIONS,
    can_react,
    known_permissions,
    missing,
    needed_to_write,
    permission_name,
    refuses_reference,
)
from bot.texts import say

log = structlog.stdlib.get_logger(__name__)
RETRY_DELAYS_S = (1.0, 3.0, 5.0, 7.0)  # as discord.py waits after a 500 or 502
# After these, Discord may have the message all the same.
UNCONFIRMED = (discord.DiscordServerError, aiohttp.ClientError, OSError)
ALREADY_ACKNOWLEDGED = 40060
SHOW_AFTER_S = 0.3  # most replies are faster
MAX_SHOWN_S = 600.0


class Context(commands.Context[Any]):
    """A command's context that shows progress: typing, or “is thinking” for a slash command."""

    reply_to_edit: discord.Message | None = None  # an earlier reply to edit instead of sending a new one
    _typing: "asyncio.Task[None] | None" = None
    _is_shown = False

    def start_typing(self, *, is_ephemeral: bool = False) -> None:
        """Show progress if no reply follows within 0.3 s; `is_ephemeral` must match the reply."""
        self._typing = asyncio.create_task(self._show(is_ephemeral), name="typing")

    async def stop_typing(self) -> None:
        """Stop showing progress; wait for a deferred reply until Discord has it. Idempotent."""
        if self._typing is None:
            return
        if not (self._is_shown and self.interaction):
            self._typing.cancel()
        await asyncio.gather(self._typing, return_exceptions=True)
        self._typing = None

    async def send(self, *args: Any, **options: Any) -> discord.Message:
        """Send a reply, or edit an earlier one, and stop showing progress."""
        await self.stop_typing()
        if self.reply_to_edit is not None:
            try:
                reply = await self.reply_to_edit.edit(
                    content=args[0] if args else options.get("content"),
                    embeds=options.get("embeds", []),
                    view=options.get("view"),
                )
            except discord.HTTPException:  # it was deleted, or the bot may no longer edit it
                reply = await super().send(*args, **options)
            self.reply_to_edit = None
        else:
            reply = await super().send(*args, **options)
        is_question = self.command.name == "fill" if self.command else self.prefix is not None
        if self.interaction is None and is_question:  # of what is no command, nothing is kept
            self.bot.questions.note(self.message, reply)
        return reply

    async def _show(self, is_ephemeral: bool) -> None:
        await asyncio.sleep(SHOW_AFTER_S)
        self._is_shown = True
        if self.interaction is not None:
            if not self.interaction.response.is_done():
                await self.interaction.response.defer(ephemeral=is_ephemeral)
        else:
            async with self.typing():
                await asyncio.sleep(MAX_SHOWN_S)


def may_react(context: Context) -> bool:
    """Whether the bot may add reactions in the command's channel, as far as discord.py knows.

    A slash command may come from a channel that the bot cannot see.
    """
    if context.guild is None:
        return True
    if context.interaction is not None:
        return can_react(context.interaction.app_permissions)
    allowed = known_permissions(context.channel, context.me)
    return allowed is None or can_react(allowed)


@dataclass(frozen=True, slots=True)
class _OutgoingReply:
    """A reply to send, which can be reduced where Discord does not accept all of it."""

    content: str | None
    embed: discord.Embed | None
    view: discord.ui.View | None
    file: discord.File | None
    content_of_file: bytes
    ephemeral: bool
    is_reply: bool = True

    def fresh_file(self) -> discord.File | None:
        """Return the file, rewound for another attempt."""
        if self.file is None:
            return None
        return discord.File(
            io.BytesIO(self.content_of_file), self.file.filename, description=self.file.description
        )

    def without_file(self) -> "_OutgoingReply":
        """Return the reply without its file, and with a line that names the missing permission.

        Raises:
            MissingPermissionError: The reply is nothing but a file.
        """
        permission = permission_name("attach_files")
        if self.embed is None:
            raise MissingPermissionError(permission)
        embed = self.embed.copy()
        embed.set_image(url=None)
        lines = [self.content, say("errors.no_file", permission=permission)]
        return replace(self, content="\n".join(filter(None, lines)), embed=embed, file=None)

    def allowed_by(self, channel: object, allowed: discord.Permissions) -> "_OutgoingReply":
        """Return as much of the reply as the permissions allow.

        Raises:
            CannotWriteError, MissingPermissionError: They allow none of it.
        """
        if lacking := missing(allowed, needed_to_write(channel)):
            raise CannotWriteError(lacking)
        if self.embed is not None and not allowed.embed_links:
            raise MissingPermissionError(permission_name("embed_links"))
        draft = self if self.file is None or allowed.attach_files else self.without_file()
        return replace(draft, is_reply=allowed.read_message_history)

    def reduced_after(self, error: discord.HTTPException) -> "_OutgoingReply":
        """Return the reply to try after Discord rejected this one.

        Raises:
            MissingPermissionError: Only the missing permission can be reported.
            discord.HTTPException: No smaller reply would help.
        """
        if self.is_reply and refuses_reference(error):
            return replace(self, is_reply=False)
        if error.code == MISSING_PERMISSIONS and self.file is not None:
            return self.without_file()
        if error.code == MISSING_PERMISSIONS and self.embed is not None:
            raise MissingPermissionError(permission_name("embed_links")) from error
        raise error


async def send_reply(
    context: Context,
    content: str | None = None,
    *,
    embed: discord.Embed | None = None,
    view: discord.ui.View | None = None,
    file: discord.File | None = None,
    ephemeral: bool = False,
    nonce: str | None = None,
) -> discord.Message:
    """Reply to a command, even if its message was deleted. Returns the reply.

    Where the bot lacks a permission, the reply is sent without what needs it: the reference, or a picture.

    Args:
        context: The command's context.
        content: Cut to Discord's limit.
        embed: Shown below the content.
        view: Menus and buttons below the embed.
        file: Attached; an embed shows it as `attachment://NAME`.
        ephemeral: Whether only the asker sees it; works for slash commands only.
        nonce: Lets Discord recognise the same reply for some minutes if it is sent again.

    Raises:
        MissingPermissionError: The bot may write there, but not show this.
        NotSentError: It may not write there, or Discord did not respond to any attempt.
        discord.HTTPException: Discord rejected the reply for another reason.
    """
    data = b"" if file is None else file.fp.read()
    draft = _OutgoingReply(content, embed, view, file, data, ephemeral)
    if not _is_by_token(context):  # an interaction's token needs no permissions
        allowed = known_permissions(context.channel, context.me)
        if allowed is not None:
            draft = draft.allowed_by(context.channel, allowed)
    while True:
        try:
            return await _deliver(context, draft, nonce or secrets.token_hex(12))
        except discord.HTTPException as error:
            smaller = draft.reduced_after(error)
            log.info("reply.reduced", channel_id=context.channel.id, code=error.code)
            draft = smaller


async def _deliver(context: Context, draft: _OutgoingReply, nonce: str) -> discord.Message:
    """Send a reply exactly once, with retries; Discord recognises a repeated message by its `nonce`.

    Raises:
        LostReplyError: Discord did not respond to any attempt.
        discord.HTTPException: Discord rejected the reply.
    """
    lost: BaseException | None = None
    for wait_s in (*RETRY_DELAYS_S, None):
        try:
            if lost is not None and (found := await _find_sent(context, draft)) is not None:
                return found
            return await context.send(
                None if draft.content is None else clipped(draft.content, MAX_CONTENT),
                embeds=[] if draft.embed is None else [draft.embed],
                reference=context.message.to_reference(fail_if_not_exists=False) if draft.is_reply else None,
                ephemeral=draft.ephemeral,
                nonce=nonce,
                **_parts(draft),
            )
        except UNCONFIRMED as error:
            lost = error
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED or context.interaction is None:
                raise
            # discord.py's own retry: its first attempt arrived, but the response did not.
            found = await _find_sent(context, draft)
            if found is None:
                raise
            return found
        if wait_s is not None:
            await asyncio.sleep(wait_s)
    assert lost is not None
    raise LostReplyError(lost) from lost


async def _find_sent(context: Context, draft: _OutgoingReply) -> discord.Message | None:
    """Return the reply to a slash command if Discord has it; a deferred reply is edited into it."""
    interaction = context.interaction
    if interaction is None:
        return None
    try:
        found = await interaction.original_response()
    except discord.NotFound:
        return None
    is_ours = set(_custom_ids(draft.view)) <= set(_custom_ids(found))
    # discord.py dispatches to a view with a timeout only after it was sent or edited.
    listens = draft.view is not None and not draft.view.is_persistent()
    if found.flags.loading or (is_ours and listens):
        return await interaction.edit_original_response(
            content=None if draft.content is None else clipped(draft.content, MAX_CONTENT),
            embeds=[] if draft.embed is None else [draft.embed],
            view=draft.view,
            attachments=[one for one in (draft.fresh_file(),) if one is not None],
        )
    return found if is_ours else None  # otherwise another process answered the command


def _is_by_token(context: Context) -> bool:
    return context.interaction is not None and not context.interaction.is_expired()


def _parts(draft: _OutgoingReply) -> dict[str, Any]:
    parts = {"view": draft.view, "file": draft.fresh_file()}
    return {name: part for name, part in parts.items() if part is not None}


def _custom_ids(shown: discord.ui.View | discord.Message | None) -> Iterator[str]:
    """Yield the custom ids of a message's or a view's controls."""
    if isinstance(shown, discord.Message):
        items = [item for row in shown.components for item in getattr(row, "children", ())]
    else:
        items = [] if shown is None else list(shown.children)
    for item in items:
        if custom_id := getattr(item, "custom_id", None):
            yield str(custom_id)
