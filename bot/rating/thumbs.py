"""Which emoji are thumbs, and what each votes."""

import discord

from storage.feedback import Value

VALUES: dict[str, Value] = {"👍": 1, "👎": -1}


def thumb_value(emoji: discord.PartialEmoji | discord.Emoji | str) -> Value | None:
    """+1, −1, or None; thumbs of any skin tone count, emoji of a server that are called like one do not."""
    name = emoji if isinstance(emoji, str) else emoji.name if emoji.id is None else ""
    return VALUES.get(name[0]) if isinstance(name, str) and name else None
