"""Imports every file of faults here, which names them."""

import importlib
from pathlib import Path

for _file in sorted(Path(__file__).parent.glob("*_faults.py")):
    if _file != Path(__file__):
        importlib.import_module(f"faults.{_file.stem}")
