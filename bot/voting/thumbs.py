"""Which emoji count as thumbs, and how they vote."""

import re

import discord

from storage.votes.reactions import SIGNS, SUPER, sign
from storage.votes.standing import Value

VARIATION = "\ufe0f"  # the emoji variation selector, which some clients append
THUMB = re.compile(f"[{''.join(SIGNS)}][🏻🏼🏽🏾🏿]?")

AnyEmoji = discord.PartialEmoji | discord.Emoji | str


def thumb(emoji: AnyEmoji, *, is_super: bool = False) -> str | None:
    """Return a thumb as it is stored, including its skin tone; None for any other or custom emoji."""
    name = emoji if isinstance(emoji, str) else emoji.name if emoji.id is None else ""
    plain = name.replace(VARIATION, "") if isinstance(name, str) else ""
    if THUMB.fullmatch(plain) is None:
        return None
    return plain + SUPER if is_super else plain


def thumb_value(emoji: AnyEmoji) -> Value | None:
    """Return +1, −1 or None; thumbs of any skin tone count."""
    found = thumb(emoji)
    return None if found is None else sign(found)
