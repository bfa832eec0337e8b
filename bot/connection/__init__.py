"""The connection to Discord: gateway and REST, within Discord's rate limits."""
