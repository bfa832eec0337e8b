"""Imports every file of faults, which names them."""

import faults.wire_faults  # noqa: F401
