"""Runs on a real cluster of two nodes: submitted as jobs, shared by workers, ended and lost."""

import signal
from pathlib import Path

import pytest
from cluster.nodes import Nodes
from cluster.runs import TeamHome

from training.registry.versions import Registry


@pytest.fixture
def team(nodes: Nodes, tmp_path: Path) -> TeamHome:
    return TeamHome.make(tmp_path / "home", ray_address=nodes.dashboard, ray_workers=2, ray_wait_s=60)


def test_a_run_is_shared_by_workers_and_its_progress_comes_back(team: TeamHome) -> None:
    ended = team.run("run", "--trigger", "retrain", timeout_s=200)
    assert ended.code == 0, ended.log
    run = team.latest()
    assert run.status in ("promoted", "rejected"), run.verdict
    steps = {line["step"] for line in ended.lines if line.get("event") == "progress"}
    assert "fine-tuning on the votes" in steps
    made = run.challenger
    assert made is not None
    Registry(team.settings.models_dir).verify(made)
    assert team.champion == (made if run.status == "promoted" else "v0001")


def test_a_run_that_is_ended_here_ends_there(team: TeamHome) -> None:
    process = team.start("run", "--trigger", "retrain")
    assert process.stdin is not None
    assert process.stdout is not None
    while '"opened"' not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(60) != 0
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
    assert team.champion == "v0001"


def test_a_cluster_out_of_reach_is_a_failed_run_with_a_sentence(tmp_path: Path) -> None:
    team = TeamHome.make(tmp_path / "home", ray_address="http://127.0.0.1:9")
    ended = team.run("run", "--trigger", "retrain")
    assert ended.code == 1
    assert "The Ray cluster at http://127.0.0.1:9 cannot be reached." in str(ended.lines)
    assert team.champion == "v0001"
