"""Every quick fault once: `make faults` tries all of them many times."""

from pathlib import Path

import faults.all_faults  # noqa: F401  importing names the faults
import pytest
from faults.trials import FAULTS, Row, chance


@pytest.mark.parametrize("name", [one.name for one in FAULTS.values() if one.is_quick])
async def test_a_fault_loses_nothing(home: Path, name: str) -> None:
    row = Row(FAULTS[name])
    row.found.append(await row.fault.try_once(chance(7, name, 0), home))
    assert row.is_good, row.cells()
