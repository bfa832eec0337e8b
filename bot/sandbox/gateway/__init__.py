"""The gateway: sockets, sessions, intents, events."""
