"""The only module that imports UpTrain: the parts in use, silenced, and the environment they run in.

UpTrain's pitfalls shape this package. `setup()` empties its logs folder, so every check set gets a fresh one.
A source without rows raises, so that case is handled before. It reads unprefixed environment variables, so it
runs in a clean environment. Row-wise Python is slow, so all operators use polars. It still uses pydantic's
deprecated names, so those warnings are suppressed.
"""

import contextlib
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
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
    "NoSetup",
    "Signal",
    "TransformOp",
    "first_reason",
    "register_op",
    "run",
]


class NoSetup:
    """Mixin for operators that need no setup."""

    def setup(self, settings: Settings) -> Self:
        """Return the operator unchanged."""
        return self


@register_op
class FrameSource(NoSetup, TransformOp):
    """A source of rows in memory, with operators that run on them first.

    UpTrain writes the output of its own preprocessors to a file. Who voted for what must stay in the
    database, where it can be forgotten, so this source runs such operators itself.
    """

    _frame: pl.DataFrame = PrivateAttr()  # private: UpTrain writes every field to a file
    _operators: Sequence[Any] = PrivateAttr()

    @classmethod
    def of(cls, frame: pl.DataFrame, operators: Sequence[Any] = ()) -> Self:
        """Make a source of rows."""
        source = cls()
        source._frame, source._operators = frame, operators
        return source

    def run(self) -> dict[str, Any]:
        """Return the rows after all operators."""
        frame = self._frame
        for operator in self._operators:
            frame = operator.run(frame)["output"]
        return {"output": frame}


def first_reason(failed: Iterable[tuple[str, Any]]) -> pl.Expr:
    """Return the reason of the first condition that holds for each row; empty if none does."""
    return pl.coalesce(*(pl.when(condition).then(pl.lit(reason)) for reason, condition in failed), pl.lit(""))


def run(checks: CheckSet, folder: Path) -> None:
    """Run a check set, and write its results as JSON lines to `folder`, which is emptied first. Blocking."""
    shutil.rmtree(folder, ignore_errors=True)
    with _clean_environment():
        checks.setup(Settings(logs_folder=str(folder)))
        checks.run()


@contextlib.contextmanager
def _clean_environment() -> Iterator[None]:
    """Hide the environment: UpTrain reads names such as SEED, and writes API keys to a file."""
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
