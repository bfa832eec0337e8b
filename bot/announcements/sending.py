"""Sends or edits one message with an embed, and tells refusals by Discord from outages."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import discord

from bot.embeds.replies import MAX_CONTENT, clipped

NO_PERMISSION = 50013
HISTORY = 50  # messages searched for one that was sent before a crash


@dataclass(frozen=True, slots=True)
class Post:
    """The content of a message: an embed, perhaps a picture in it, and buttons."""

    embed: discord.Embed
    picture: bytes | None = None
    picture_name: str = ""
    picture_about: str = ""
    view: discord.ui.View | None = None

    @classmethod
    def of(
        cls, embed: discord.Embed, file: discord.File | None = None, *, view: discord.ui.View | None = None
    ) -> "Post":
        """Read the file now: a `discord.File` can be sent only once."""
        if file is None:
            return cls(embed, view=view)
        return cls(embed, file.fp.read(), file.filename, file.description or "", view)

    def forms(self) -> list[dict[str, Any]]:
        """Return the forms to try, the best first, as Embed Links or Attach Files may be missing."""
        plain: dict[str, Any] = {"content": self.text, "embeds": [], "view": self.view}
        if self.picture is None:
            return [{"content": None, "embeds": [self.embed], "view": self.view}, plain]
        file = discord.File(
            io.BytesIO(self.picture), self.picture_name, description=self.picture_about or None
        )
        bare = self.embed.copy().set_image(url=None)
        return [
            {"content": None, "embeds": [self.embed], "files": [file], "view": self.view},
            {"content": None, "embeds": [bare], "view": self.view},
            plain,
        ]

    @property
    def text(self) -> str:
        """The embed as plain text."""
        parts = [f"**{self.embed.title}**"] if self.embed.title else []
        parts += [self.embed.description] if self.embed.description else []
        parts += [f"**{field.name}**\n{field.value}" for field in self.embed.fields]
        parts += [self.embed.footer.text] if self.embed.footer.text else []
        return clipped("\n".join(parts), MAX_CONTENT)

    def is_in(self, message: discord.Message) -> bool:
        """Whether a message has this content."""
        if any(
            (one.title, one.description, one.footer.text)
            == (self.embed.title, self.embed.description, self.embed.footer.text)
            for one in message.embeds
        ):
            return True
        return bool(message.content) and message.content == self.text


def is_refused(error: discord.HTTPException) -> bool:
    """Whether retrying is useless; False means that Discord is busy or unreachable."""
    return 400 <= error.status < 500 and error.status not in (401, 408, 429)


async def in_best_form(post: Post, act: Callable[..., Awaitable[discord.Message]]) -> discord.Message:
    """Call `act` with the best form that the permissions allow; return the message."""
    *better, plain = post.forms()
    for form in better:
        try:
            return await act(**form)
        except discord.Forbidden as error:
            if error.code != NO_PERMISSION:
                raise
    return await act(**plain)


async def send(
    channel: discord.abc.Messageable, post: Post, *, nonce: str, me: int, unless_sent_since: datetime | None
) -> discord.Message:
    """Send a post, unless it was already sent; return its message.

    Args:
        channel: the destination.
        post: the content.
        nonce: by which Discord recognises a repeated message for a few minutes.
        me: the bot's user id.
        unless_sent_since: search the channel's history from this time on; None if it was certainly not sent.
    """
    if unless_sent_since is not None:
        try:
            async for message in channel.history(limit=HISTORY, after=unless_sent_since, oldest_first=False):
                if message.author.id == me and post.is_in(message):
                    return message
        except discord.HTTPException as error:
            if not is_refused(error):
                raise
    return await in_best_form(post, lambda **form: channel.send(nonce=nonce, **form))
