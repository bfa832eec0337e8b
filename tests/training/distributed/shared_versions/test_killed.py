"""Machines that are killed while they change what is shared, or their own cache of it."""

import subprocess
import sys
from pathlib import Path

import pytest

STEP = 13  # 1 kills at every change of the disk


@pytest.mark.long
def test_kill_9_at_any_change_leaves_no_half_version(tmp_path: Path) -> None:
    script = Path(__file__).parents[3] / "support" / "shared_killed.py"
    process = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(STEP)],
        cwd=script.parents[1],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert process.returncode == 0, process.stderr
    assert int(process.stdout.split()[-2]) > 7
