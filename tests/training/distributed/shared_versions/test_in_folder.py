"""Versions shared in a folder that machines mount."""

from shared_stories import *  # noqa: F403
