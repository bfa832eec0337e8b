"""`make install` says what pip is doing in few lines, and everything if it fails; `make help` is aligned."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("install", PROJECT / "deploy" / "install.py")
assert SPEC is not None
assert SPEC.loader is not None
module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(module)
OUTPUT = """\
Obtaining file:///opt/fillbot
Collecting torch==2.13.0 (from fillbot==0.1.0)
  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (180.5 MB)
Collecting aiohttp>=3.11 (from fillbot==0.1.0)
  Downloading aiohttp-3.13.2-cp311-cp311-manylinux2014_x86_64.whl (1.7 MB)
Installing collected packages: torch, aiohttp, fillbot
Successfully installed aiohttp-3.13.2 fillbot-0.1.0 torch-2.13.0
"""


def said(capsys: pytest.CaptureFixture[str], *, code: int = 0) -> tuple[str, str]:
    pip = (sys.executable, "-c", f"import sys; print({OUTPUT!r}, end=''); sys.exit({code})")
    assert module.install([], pip=pip) == code
    return capsys.readouterr()


def test_in_a_log_only_stages_and_large_downloads_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == ("downloading torch (180.5 MB)\nunpacking 3 packages\n", "")


def test_on_a_terminal_one_line_is_rewritten(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    out, error = said(capsys)
    assert (error, "\n" in out) == ("", False)
    shown = [line.partition(" ")[2] for line in out.split("\r\033[K")[1:]]
    assert list(dict.fromkeys(shown)) == [
        "looking for torch (package 1)",
        "downloading torch (180.5 MB)",
        "looking for aiohttp (package 2)",
        "downloading aiohttp (1.7 MB)",
        "unpacking 3 packages",
        "",
    ]


def test_the_whole_output_is_shown_when_pip_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, code=3)[1] == OUTPUT


def test_all_targets_are_described_in_one_column() -> None:
    program = shutil.which("make")
    if program is None:
        pytest.skip("make is not here")
    listed = subprocess.run(
        [program, "--no-print-directory", "help"], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    columns = [re.match(r"[a-z-]+ {2,}", line) for line in listed.stdout.splitlines()]
    assert len({found.end() if found else None for found in columns}) == 1
    assert None not in columns
