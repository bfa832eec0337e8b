"""A command being carried out: its replies, and the sign that it is being worked on."""

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
AGAIN_AFTER_S = (1.0, 3.0, 5.0, 7.0)  # as discord.py itself does after 500 and 502
# Discord may have the message all the same.
NOT_HEARD = (discord.DiscordServerError, aiohttp.ClientError, OSError)
ALREADY_ACKNOWLEDGED = 40060
SHOW_AFTER_S = 0.3  # what takes longer is shown to be under way
MAX_SHOWN_S = 600.0


class Context(commands.Context[Any]):
    """A command, with the sign that it is being worked on: typing, or “is thinking” of a slash command."""

    replaced: discord.Message | None = None  # an earlier reply, to be edited instead of sending another one
    _sign: "asyncio.Task[None] | None" = None
    _is_shown = False

    def show_work(self, *, is_ephemeral: bool = False) -> None:
        """Show the sign if there is no reply in a moment; `is_ephemeral` must be as the reply will be."""
        self._sign = asyncio.create_task(self._show(is_ephemeral), name="sign of work")

    async def settle(self) -> None:
        """End the sign, or wait until Discord has it where it is the beginning of the reply. Idempotent."""
        if self._sign is None:
            return
        if not (self._is_shown and self.interaction):
            self._sign.cancel()
        await asyncio.gather(self._sign, return_exceptions=True)
        self._sign = None

    async def send(self, *args: Any, **options: Any) -> discord.Message:
        """Reply; the sign of work ends."""
        await self.settle()
        if self.replaced is not None:
            try:
                reply = await self.replaced.edit(
                    content=args[0] if args else options.get("content"),
                    embeds=options.get("embeds", []),
                    view=options.get("view"),
                )
            except discord.HTTPException:  # it is gone, or the bot may not edit there any more
                reply = await super().send(*args, **options)
            self.replaced = None
        else:
            reply = await super().send(*args, **options)
        if self.interaction is None and (self.command is None or self.command.name == "fill"):
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
    """Return whether the bot may add reactions where this command was given, as far as is known.

    A slash command may come from a channel that the bot cannot see.
    """
    if context.guild is None:
        return True
    if context.interaction is not None:
        return can_react(context.interaction.app_permissions)
    allowed = known_permissions(context.channel, context.me)
    return allowed is None or can_react(allowed)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A reply as it is tried; less of it where Discord does not take all."""

    content: str | None
    embed: discord.Embed | None
    view: discord.ui.View | None
    file: discord.File | None
    content_of_file: bytes
    ephemeral: bool
    is_reply: bool = True

    def fresh_file(self) -> discord.File | None:
        """The file, to be read once more."""
        if self.file is None:
            return None
        return discord.File(
            io.BytesIO(self.content_of_file), self.file.filename, description=self.file.description
        )

    def without_file(self) -> "_Draft":
        """The embed alone, with a line that says which permission is missing.

        Raises:
            MissingPermissionError: the file was all there is.
        """
        permission = permission_name("attach_files")
        if self.embed is None:
            raise MissingPermissionError(permission)
        embed = self.embed.copy()
        embed.set_image(url=None)
        lines = [self.content, say("errors.no_file", permission=permission)]
        return replace(self, content="\n".join(filter(None, lines)), embed=embed, file=None)

    def fitting(self, channel: object, allowed: discord.Permissions) -> "_Draft":
        """As much of it as the permissions allow.

        Raises:
            CannotWriteError, MissingPermissionError: that is nothing.
        """
        if lacking := missing(allowed, needed_to_write(channel)):
            raise CannotWriteError(lacking)
        if self.embed is not None and not allowed.embed_links:
            raise MissingPermissionError(permission_name("embed_links"))
        draft = self if self.file is None or allowed.attach_files else self.without_file()
        return replace(draft, is_reply=allowed.read_message_history)

    def after(self, error: discord.HTTPException) -> "_Draft":
        """What to try after a refusal.

        Raises:
            MissingPermissionError: nothing but telling that.
            discord.HTTPException: nothing at all.
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
    """Reply to a command, also when the message that called it is gone by now. Returns the reply.

    Where the bot lacks a permission it leaves out what takes it: the reference to the question, or a picture.

    Args:
        context: of the command.
        content: clipped where it is longer than Discord takes.
        embed: shown below the content.
        view: menus and buttons below that.
        file: attached; an embed can show it as `attachment://NAME`.
        ephemeral: only for who asked, where Discord can do that: after a slash command.
        nonce: by which Discord knows the same reply for some minutes, where it may be sent again later.

    Raises:
        MissingPermissionError: the bot may write there, but not show this.
        NotSentError: it may not write there, or Discord was not heard again and again.
        discord.HTTPException: Discord refuses the reply for another reason.
    """
    data = b"" if file is None else file.fp.read()
    draft = _Draft(content, embed, view, file, data, ephemeral)
    if not _is_by_token(context):  # by an interaction's token everything may be sent
        allowed = known_permissions(context.channel, context.me)
        if allowed is not None:
            draft = draft.fitting(context.channel, allowed)
    while True:
        try:
            return await _deliver(context, draft, nonce or secrets.token_hex(12))
        except discord.HTTPException as error:
            smaller = draft.after(error)
            log.info("reply.reduced", channel_id=context.channel.id, code=error.code)
            draft = smaller


async def _deliver(context: Context, draft: _Draft, nonce: str) -> discord.Message:
    """Send a reply, once, however often that has to be tried; Discord knows a message that it has by `nonce`.

    Raises:
        LostReplyError: Discord was not heard.
        discord.HTTPException: it refuses.
    """
    lost: BaseException | None = None
    for wait_s in (*AGAIN_AFTER_S, None):
        try:
            if lost is not None and (found := await _arrived(context, draft)) is not None:
                return found
            return await context.send(
                None if draft.content is None else clipped(draft.content, MAX_CONTENT),
                embeds=[] if draft.embed is None else [draft.embed],
                reference=context.message.to_reference(fail_if_not_exists=False) if draft.is_reply else None,
                ephemeral=draft.ephemeral,
                nonce=nonce,
                **_parts(draft),
            )
        except NOT_HEARD as error:
            lost = error
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED or context.interaction is None:
                raise
            # discord.py itself had sent it before, and did not hear what Discord said.
            found = await _arrived(context, draft)
            if found is None:
                raise
            return found
        if wait_s is not None:
            await asyncio.sleep(wait_s)
    assert lost is not None
    raise LostReplyError(lost) from lost


async def _arrived(context: Context, draft: _Draft) -> discord.Message | None:
    """The reply to a slash command, if Discord has it; the sign of work becomes the reply."""
    interaction = context.interaction
    if interaction is None:
        return None
    try:
        found = await interaction.original_response()
    except discord.NotFound:
        return None
    is_ours = set(_custom_ids(draft.view)) <= set(_custom_ids(found))
    listens = (
        draft.view is not None and not draft.view.is_persistent()
    )  # an edit lets discord.py know the view
    if found.flags.loading or (is_ours and listens):
        return await interaction.edit_original_response(
            content=None if draft.content is None else clipped(draft.content, MAX_CONTENT),
            embeds=[] if draft.embed is None else [draft.embed],
            view=draft.view,
            attachments=[one for one in (draft.fresh_file(),) if one is not None],
        )
    return found if is_ours else None  # else another process has answered the same command


def _is_by_token(context: Context) -> bool:
    return context.interaction is not None and not context.interaction.is_expired()


def _parts(draft: _Draft) -> dict[str, Any]:
    parts = {"view": draft.view, "file": draft.fresh_file()}
    return {name: part for name, part in parts.items() if part is not None}


def _custom_ids(shown: discord.ui.View | discord.Message | None) -> Iterator[str]:
    """The custom ids of what is under a message, or will be."""
    if isinstance(shown, discord.Message):
        items = [item for row in shown.components for item in getattr(row, "children", ())]
    else:
        items = [] if shown is None else list(shown.children)
    for item in items:
        if custom_id := getattr(item, "custom_id", None):
            yield str(custom_id)
