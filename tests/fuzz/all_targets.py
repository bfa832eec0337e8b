"""Imports every file of targets, which names them."""

from importlib import import_module
from pathlib import Path

import fuzz.file_targets
import fuzz.more_targets
import fuzz.text_targets
import fuzz.wire_targets  # noqa: F401

for _file in sorted((Path(__file__).parent / "features").glob("*.py")):
    import_module(f"fuzz.features.{_file.stem}")
