"""Checkpoints of a training that was killed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from training.domain.checkpoints import Checkpoint


def test_a_saved_state_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "x.checkpoint"
    assert Checkpoint(path, "a").load() is None
    Checkpoint(path, "a").save({"step": 7, "weights": torch.ones(2), "rows": "[]"})
    state = Checkpoint(path, "a").load()
    assert state is not None
    assert (state["step"], state["rows"]) == (7, "[]")
    assert torch.equal(state["weights"], torch.ones(2))
    assert [p.name for p in path.parent.iterdir()] == ["x.checkpoint"]


def test_another_key_does_not_load_it(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "x", "a").save({"step": 7})
    assert Checkpoint(tmp_path / "x", "b").load() is None


@pytest.mark.parametrize("content", [b"", b"half a fi", b"PK\x03\x04 no archive"])
def test_a_damaged_checkpoint_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert Checkpoint(tmp_path / "x", "a").load() is None


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        OSError(5, "Input/output error"),
    ],
    ids=["Python", "torch", "disk"],
)
def test_a_temporary_read_error_is_raised_instead_of_starting_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Checkpoint(tmp_path / "x", "a").save({"step": 7})

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(type(error)):
        Checkpoint(tmp_path / "x", "a").load()


def test_a_full_disk_leaves_the_last_one(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    checkpoint = Checkpoint(tmp_path / "x", "a")
    checkpoint.save({"step": 1})
    with full_disk(100_000), pytest.raises(OSError):  # noqa: PT011 — whatever the system says
        checkpoint.save({"step": 2, "weights": torch.ones(1_000_000)})
    assert checkpoint.load() == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_clearing_deletes_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "x", "a")
    checkpoint.save({"step": 1})
    checkpoint.clear()
    checkpoint.clear()
    assert not list(tmp_path.iterdir())
