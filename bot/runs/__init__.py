"""A run in Discord: its progress, and that its end is told."""
