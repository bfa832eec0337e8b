"""Some inputs for every target: `make fuzz` gives them a million."""

from pathlib import Path

import fuzz.all_targets
import pytest
from fuzz.targets import TARGETS, fuzz


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_too_much(name: str, home: Path) -> None:
    with TARGETS[name].opened(home) as check:
        assert fuzz(TARGETS[name], check, inputs=TARGETS[name].quick, seed=7)
