"""Versions shared in a folder that machines mount."""

from support.shared_stories import *  # noqa: F403
