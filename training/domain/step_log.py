"""The log of a long training: a row a step, and one an evaluation; becomes `training_log.jsonl`."""

import json
import math
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from training.domain.fixed_masks import Fit
from training.finetuning.trainer import REPORT_EVERY_STEPS


class StepLog:
    """Rows in order. Figures stay on the device until `flush`, so that no step waits for them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.steps_per_epoch = 1
        self.seconds = 0.0
        self._waiting: list[tuple[int, Tensor, Tensor, int]] = []
        self._since = time.perf_counter()

    def start_clock(self) -> None:
        """What was done since the last flush does not count."""
        self._since = time.perf_counter()

    def note(self, step: int, loss: Tensor, accuracy: Tensor, *, tokens: int) -> None:
        """Remember a step: its mean loss a hidden token, its share of right ones, real tokens.

        Again for the same step, where memory ran out, it replaces what was noted before.
        """
        if self._waiting and self._waiting[-1][0] == step:
            self._waiting.pop()
        if len(self._waiting) >= REPORT_EVERY_STEPS:
            self.flush()
        self._waiting.append((step, loss, accuracy, tokens))

    def flush(self) -> None:
        """Read the figures of the steps since the last time; their speed is that of all of them together."""
        if not self._waiting:
            return
        losses = [float(loss) for _, loss, _, _ in self._waiting]
        elapsed = time.perf_counter() - self._since
        speed = sum(tokens for *_, tokens in self._waiting) / max(elapsed, 1e-9)
        for (step, _, accuracy, tokens), loss in zip(self._waiting, losses, strict=True):
            self.rows.append(
                {
                    "step": step,
                    "epoch": round(step / self.steps_per_epoch, 4),
                    "loss": round(loss, 4),
                    "perplexity": round(math.exp(min(loss, 700.0)), 3),
                    "accuracy": round(float(accuracy), 4),
                    "tokens": tokens,
                    "tokens_per_s": round(speed, 1),
                }
            )
        self._waiting.clear()
        self.seconds += elapsed
        self.start_clock()

    def evaluated(self, step: int, fits: dict[str, Fit]) -> float:
        """Note an evaluation on held-out text. Returns the mean loss of its parts."""
        loss = sum(fit.loss for fit in fits.values()) / len(fits)
        parts = {name: fit.to_json() for name, fit in fits.items()}
        accuracy = sum(fit.accuracy for fit in fits.values()) / len(fits)
        self.rows.append(
            {
                "step": step,
                "epoch": round(step / self.steps_per_epoch, 4),
                "held_out": {
                    "loss": round(loss, 4),
                    "perplexity": round(math.exp(min(loss, 700.0)), 3),
                    "accuracy": round(accuracy, 4),
                    **parts,
                },
            }
        )
        return loss

    @property
    def tokens_per_s(self) -> float:
        """Real tokens a second over all steps."""
        return float(sum(row.get("tokens", 0) for row in self.rows)) / max(self.seconds, 1e-9)

    def write(self, path: Path) -> None:
        """As JSON lines."""
        path.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
