"""Send or edit one message with an embed, and say whether Discord refuses it for good."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import discord

from bot.embeds.replies import MAX_CONTENT, clipped

NO_PERMISSION = 50013
HISTORY = 50  # messages that are searched for one that was sent before a crash


@dataclass(frozen=True, slots=True)
class Post:
    """What is sent: an embed, and perhaps a picture in it."""

    embed: discord.Embed
    picture: bytes | None = None
    picture_name: str = ""
    picture_about: str = ""

    @classmethod
    def of(cls, embed: discord.Embed, file: discord.File | None = None) -> "Post":
        """The same of an embed and its file, which can be read only once."""
        if file is None:
            return cls(embed)
        return cls(embed, file.fp.read(), file.filename, file.description or "")

    def forms(self) -> list[dict[str, Any]]:
        """The ways to say it, the best first: Embed Links or Attach Files may be missing."""
        plain = {"content": self.text, "embeds": []}
        if self.picture is None:
            return [{"content": None, "embeds": [self.embed]}, plain]
        file = discord.File(
            io.BytesIO(self.picture), self.picture_name, description=self.picture_about or None
        )
        bare = self.embed.copy().set_image(url=None)
        return [
            {"content": None, "embeds": [self.embed], "files": [file]},
            {"content": None, "embeds": [bare]},
            plain,
        ]

    @property
    def text(self) -> str:
        """The embed without being one."""
        parts = [f"**{self.embed.title}**"] if self.embed.title else []
        parts += [self.embed.description] if self.embed.description else []
        parts += [f"**{field.name}**\n{field.value}" for field in self.embed.fields]
        parts += [self.embed.footer.text] if self.embed.footer.text else []
        return clipped("\n".join(parts), MAX_CONTENT)

    def is_in(self, message: discord.Message) -> bool:
        """Whether a message says it."""
        if any(
            (one.title, one.description, one.footer.text)
            == (self.embed.title, self.embed.description, self.embed.footer.text)
            for one in message.embeds
        ):
            return True
        return bool(message.content) and message.content == self.text


def is_refused(error: discord.HTTPException) -> bool:
    """Whether Discord answers so again however often it is asked; it is merely busy or away otherwise."""
    return 400 <= error.status < 500 and error.status not in (401, 408, 429)


async def in_best_form(post: Post, act: Callable[..., Awaitable[Any]]) -> None:
    """Send or edit; without the picture or the embed where a permission for those is missing."""
    *better, plain = post.forms()
    for form in better:
        try:
            await act(**form)
        except discord.Forbidden as error:
            if error.code != NO_PERMISSION:
                raise
        else:
            return
    await act(**plain)


async def send(
    channel: discord.abc.Messageable, post: Post, *, nonce: str, me: int, unless_sent_since: datetime | None
) -> None:
    """Send a post; not where it was sent since then.

    Args:
        channel: where to.
        post: what.
        nonce: by which Discord knows the same message for some minutes.
        me: who would have sent it.
        unless_sent_since: None: it surely was not.
    """
    if unless_sent_since is not None:
        try:
            async for message in channel.history(limit=HISTORY, after=unless_sent_since, oldest_first=False):
                if message.author.id == me and post.is_in(message):
                    return
        except discord.HTTPException as error:
            if not is_refused(error):
                raise
    await in_best_form(post, lambda **form: channel.send(nonce=nonce, **form))
