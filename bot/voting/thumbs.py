"""Which emoji are thumbs, and what each votes."""

import re

import discord

from storage.votes.predictions import Value
from storage.votes.reactions import SUPER, sign

VARIATION = "\ufe0f"  # asks for the coloured picture; some clients send it along
THUMB = re.compile("[👍👎][🏻🏼🏽🏾🏿]?")

AnyEmoji = discord.PartialEmoji | discord.Emoji | str


def thumb(emoji: AnyEmoji, *, is_super: bool = False) -> str | None:
    """A thumb as it is stored, in its skin tone; None for any other emoji, a server's own included."""
    name = emoji if isinstance(emoji, str) else emoji.name if emoji.id is None else ""
    plain = name.replace(VARIATION, "") if isinstance(name, str) else ""
    if THUMB.fullmatch(plain) is None:
        return None
    return plain + SUPER if is_super else plain


def thumb_value(emoji: AnyEmoji) -> Value | None:
    """+1, −1, or None; thumbs of any skin tone count."""
    found = thumb(emoji)
    return None if found is None else sign(found)
