"""Discord in, Discord out: `python -m bot`."""

__version__ = "0.1.0"
