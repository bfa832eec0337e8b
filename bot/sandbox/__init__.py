"""A Discord-compatible server on loopback, in memory, for trying the bot out and for testing it.

An unmodified discord.py talks to it over HTTP and WebSocket; people (the page, the tests) use Discord's own
REST API and gateway.
"""

from bot.sandbox.errors import PortInUseError
from bot.sandbox.rate_limits import Limits
from bot.sandbox.server import Sandbox

__all__ = ["Limits", "PortInUseError", "Sandbox"]
