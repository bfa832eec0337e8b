"""No library reports anything to its maker: not from the bot, a run, a replica, a container or the unit."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from training import telemetry
from training.distributed.ray.job_settings import environment
from training.settings import Settings
from training.telemetry import OFF

PROJECT = Path(__file__).parents[2]
DEPLOYED = (
    "ORT_DISABLE_TELEMETRY=1",
    "HF_HUB_DISABLE_TELEMETRY=1",
    "RAY_USAGE_STATS_ENABLED=0",
    "DO_NOT_TRACK=1",
)
PHONES_HOME = ("onnxruntime", "huggingface_hub", "transformers", "datasets", "ray", "uptrain", "litellm")
WATCHED = f"""
import importlib.abc, os, sys
class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {PHONES_HOME!r}:
            missing = [n for n, value in {OFF!r}.items() if os.environ.get(n) != value]
            if missing: raise SystemExit(f"{{name}} is imported before {{missing}} are set")
        return None
sys.meta_path.insert(0, Watch())
"""


def run_python(code: str, home: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {n: v for n, v in os.environ.items() if n not in OFF and not n.startswith(("XDG_", "HF_"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**kept, "HOME": str(home), **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_loading_a_model_writes_no_device_id(tmp_path: Path, served_folders: dict[str, Path]) -> None:
    (folder, *_) = served_folders.values()
    ask = (
        "from pathlib import Path\n"
        "from training.inference.fill_model import FillModel\n"
        f"print(FillModel(Path({str(folder)!r}), threads=1).version)"
    )
    process = run_python(WATCHED + ask, tmp_path)
    assert process.returncode == 0, process.stderr
    assert not (tmp_path / ".cache" / "Microsoft").exists()


@pytest.mark.parametrize(
    "module",
    [
        "bot.app",
        "bot.operations.checks.run",
        "training.inference.session",
        "training.pipeline.run",
        "training.corpus.readers",
    ],
)
def test_everything_is_off_before_a_library_is_imported(module: str, tmp_path: Path) -> None:
    process = run_python(WATCHED + f"import {module}", tmp_path)
    assert process.returncode == 0, process.stderr
    assert not (tmp_path / ".cache" / "Microsoft").exists()


def test_an_empty_variable_does_not_switch_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", " ")
    telemetry.switch_off()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_who_wants_it_may_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    telemetry.switch_off()
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "0"


def test_it_is_off_while_uptrain_runs() -> None:
    from training.votes.checks import framework

    with framework._clean_environment():
        assert {name: os.environ.get(name) for name in OFF} == OFF


def test_a_job_on_the_cluster_is_told_so() -> None:
    assert environment(Settings()).items() >= OFF.items()


@pytest.mark.parametrize("file", ["Dockerfile", "fillbot.service"])
def test_it_is_off_in_what_is_deployed(file: str) -> None:
    text = (PROJECT / "deploy" / file).read_text(encoding="utf-8")
    set_there = re.findall(r"\b[A-Z_]+=\w+", text.split("FROM")[-1])
    assert set(DEPLOYED) <= set(set_there)


def test_a_node_of_a_cluster_is_started_without_it() -> None:
    """Ray decides when the head starts, before any code of ours."""
    text = (PROJECT / "docs" / "scale.md").read_text(encoding="utf-8")
    started = [line.strip() for line in text.splitlines() if "ray start --head" in line]
    assert started
    assert all(line.startswith("RAY_USAGE_STATS_ENABLED=0 ") for line in started)
