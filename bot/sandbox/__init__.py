"""A Discord-compatible server on loopback, in memory, for trying the bot out and for testing it.

An unmodified discord.py talks to it over HTTP and WebSocket; people (the page, the tests) use Discord's own
REST API and gateway. Start it with :class:`bot.sandbox.server.Sandbox`.
"""
