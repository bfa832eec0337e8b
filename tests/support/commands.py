"""The commands of the bot as they are declared, so that tests of all of them need no list of their own."""

from importlib import import_module
from typing import Any

from discord.ext import commands

import bot.app  # noqa: F401  declares the commands of the core
from bot.features import FEATURES

Declared = commands.HybridCommand[Any, Any, Any]


def declared() -> dict[str, Declared]:
    """Every command by its name."""
    for feature in FEATURES:
        import_module(f"bot.features.{feature}")
    ours = [cog for cog in commands.Cog.__subclasses__() if cog.__module__.startswith("bot.")]
    found: dict[str, Declared] = {one.name: one for cog in ours for one in cog.__cog_commands__}  # type: ignore[misc]
    return dict(sorted(found.items()))


def options(command: Declared, *, only_required: bool = False, **values: str) -> dict[str, str]:
    """The values of the options that this command has."""
    taken = {name for name, one in command.clean_params.items() if one.required or not only_required}
    return {name: value for name, value in values.items() if name in taken}
