"""Suggests the command that a mistyped one nearly certainly means.

Other bots on the server may share the prefix, and replying to their commands is worse than not replying.
"""

from collections.abc import Collection
from typing import Any

from discord.ext import commands

from bot.commands.context import Context
from bot.texts import say
from bot.wiring import Parts

MASK = "[mask]"


class DidYouMean(commands.Cog):
    """Listens to commands that do not exist."""

    def __init__(self, parts: Parts) -> None:
        self._bot = parts.discord.bot

    @commands.Cog.listener()
    async def on_unknown_command(self, context: Context) -> None:
        """Suggest the intended command where the bot works; ignore the message elsewhere."""
        typed = context.invoked_with or ""
        name = suggest_command(typed, context.message.content, self._bot.commands)
        if name is not None and await self._bot.may_ask(context):
            await self._bot.send_sentence(
                context, say("did_you_mean.sentence", usage=f"{self._bot.prefix}{name}")
            )


def suggest_command(typed: str, text: str, known: Collection[commands.Command[Any, Any, Any]]) -> str | None:
    """Return the name of the intended command; None if the message may be for another bot.

    Commands that other bots may have, too, are suggested only where the message has the mask that they take.

    Args:
        typed: The typed name, without the prefix.
        text: The whole message.
        known: All commands.
    """
    typed = typed.lower()
    has_mask = MASK in text.lower()
    if not has_mask and any(typed in (one.extras["lookalikes"] or ()) for one in known):
        return None
    found = [
        one.name
        for one in known
        if (one.extras["lookalikes"] is not None or (has_mask and "text" in one.clean_params))
        and _is_slip(typed, one.name)
    ]
    return found[0] if len(found) == 1 else None


def add(parts: Parts) -> None:
    """Add suggestions for mistyped commands."""
    parts.discord.bot.add_cogs(DidYouMean(parts))


def _is_slip(typed: str, name: str) -> bool:
    """Whether the names differ by one substituted, added, missing or swapped letter, not the first."""
    if typed == name or typed[:1] != name[:1]:
        return False
    if len(typed) == len(name):
        wrong = [at for at, (one, other) in enumerate(zip(typed, name, strict=True)) if one != other]
        if len(wrong) == 1:
            return True
        return (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and typed[wrong[0]] + typed[wrong[1]] == (name[wrong[1]] + name[wrong[0]])
        )
    longer, shorter = (typed, name) if len(typed) > len(name) else (name, typed)
    return len(longer) == len(shorter) + 1 and any(
        longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer))
    )
