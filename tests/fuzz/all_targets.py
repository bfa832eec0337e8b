"""Imports every file of targets, which names them."""

import fuzz.text_targets  # noqa: F401
