"""The quiz: which sentence to ask next, the command and its buttons."""

from bot.features.quiz.cog import Quiz
from bot.wiring import Parts


def add(parts: Parts) -> None:
    """Add `!quiz`."""
    parts.discord.bot.add_cogs(Quiz(parts))
