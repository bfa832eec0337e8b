"""Discord in, Discord out: `python -m bot`."""
