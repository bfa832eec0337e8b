"""Interactions: commands, components and modals, and the bot's responses."""
