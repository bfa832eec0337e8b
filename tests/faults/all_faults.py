"""Imports every file of faults, which names them."""

import faults.request_faults
import faults.wire_faults  # noqa: F401
