"""Recognises Unicode emoji; the sandbox has no custom ones."""

from __future__ import annotations

import unicodedata

MAX_EMOJI_CHARS = 32


def is_emoji(text: str) -> bool:
    """Return whether a text can be a Unicode emoji; each skin tone is an emoji of its own."""
    has_symbol = any(
        unicodedata.category(sign) in ("So", "Sk", "Me", "Sm", "Po") for sign in text if ord(sign) > 0x7F
    )
    return has_symbol and len(text) <= MAX_EMOJI_CHARS and not any(sign.isalpha() for sign in text)
