"""Imports every file of targets, which names them."""

import fuzz.file_targets
import fuzz.more_targets
import fuzz.text_targets
import fuzz.wire_targets  # noqa: F401
