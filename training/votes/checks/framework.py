"""The only UpTrain import: its parts that we use, made quiet, and the environment they run in.

UpTrain's pitfalls that shape this package: `setup()` empties its logs folder, so every check set has a fresh
one; a source without rows raises, so that case is answered before; it reads bare environment variables, so it
runs under a clean environment; row-wise Python is slow, so all is polars; it still calls pydantic by its old
names, so those warnings are kept from people.
"""

import contextlib
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import polars as pl
from loguru import logger
from pydantic import PrivateAttr

from training.telemetry import OFF

logger.disable("uptrain")
HARMLESS = ("PATH", "HOME", "TMPDIR", "LANG", *OFF)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from uptrain.framework import Check, CheckSet, Settings, Signal
    from uptrain.operators import ColumnOp, TransformOp, register_op

__all__ = [
    "Check",
    "CheckSet",
    "ColumnOp",
    "FrameSource",
    "Ready",
    "Signal",
    "TransformOp",
    "register_op",
    "run",
]


class Ready:
    """Makes an operator one that has nothing to prepare."""

    def setup(self, settings: Settings) -> Self:
        """Nothing."""
        return self


@register_op
class FrameSource(Ready, TransformOp):
    """Rows that are in memory already, with their schema, after operators of their own.

    What UpTrain's preprocessors give is written to a file, and with it who voted what: that stays in the
    database alone, where it can be forgotten. What these give is not.
    """

    _frame: pl.DataFrame = PrivateAttr()  # private: UpTrain writes every field to a file
    _operators: Sequence[Any] = PrivateAttr()

    @classmethod
    def of(cls, frame: pl.DataFrame, operators: Sequence[Any] = ()) -> Self:
        """Take them."""
        source = cls()
        source._frame, source._operators = frame, operators
        return source

    def run(self) -> dict[str, Any]:
        """Give them."""
        frame = self._frame
        for operator in self._operators:
            frame = operator.run(frame)["output"]
        return {"output": frame}


def run(checks: CheckSet, folder: Path) -> None:
    """Run a check set; its results are JSON lines in `folder`, which is emptied first. Blocking."""
    shutil.rmtree(folder, ignore_errors=True)
    with _at_home():
        checks.setup(Settings(logs_folder=str(folder)))
        checks.run()


@contextlib.contextmanager
def _at_home() -> Iterator[None]:
    """What UpTrain runs in: no environment, as it reads names such as SEED and writes API keys to a file."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: kept[name] for name in HARMLESS if name in kept})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
