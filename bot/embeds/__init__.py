"""Builds Discord embeds from values. Pure."""
