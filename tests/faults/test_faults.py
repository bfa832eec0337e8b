"""Every quick fault once: `make faults` tries all of them many times."""

from pathlib import Path

import faults.all_faults  # noqa: F401  importing names the faults
import pytest
from faults.trials import FAULTS, Fault, Row, chance
from support.databases import of_sqlite

LONG = {"run killed at a write"}  # half a minute


def marks(one: Fault) -> list[pytest.MarkDecorator]:
    return [*([of_sqlite] if one.is_of_files else []), *([pytest.mark.long] if one.name in LONG else [])]


QUICK = [pytest.param(one.name, marks=marks(one)) for one in FAULTS.values() if one.is_quick]


@pytest.mark.parametrize("name", QUICK)
async def test_a_fault_loses_nothing(home: Path, name: str) -> None:
    row = Row(FAULTS[name])
    row.found.append(await row.fault.try_once(chance(7, name, 0), home))
    assert row.is_good, row.cells()
