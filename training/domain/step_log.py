"""The log of a long training run, `training_log.jsonl`: one row per step and per evaluation."""

import json
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from training.domain.fixed_masks import HeldOutScore, rounded
from training.finetuning.trainer import REPORT_EVERY_STEPS


class StepLog:
    """Collects rows. Figures stay on the device until `flush`, so that steps do not wait for them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.steps_per_epoch = 1
        self.seconds = 0.0
        self._waiting: list[tuple[int, Tensor, Tensor, int]] = []
        self._since = time.perf_counter()

    def start_clock(self) -> None:
        """Start timing; the time since the last flush does not count."""
        self._since = time.perf_counter()

    def note(self, step: int, loss: Tensor, accuracy: Tensor, *, tokens: int) -> None:
        """Add a step; a step that is retried after running out of memory replaces itself.

        Args:
            step: Number of the step.
            loss: Mean loss per masked token.
            accuracy: Share of masked tokens that were predicted.
            tokens: Number of tokens without padding.
        """
        if self._waiting and self._waiting[-1][0] == step:
            self._waiting.pop()
        if len(self._waiting) >= REPORT_EVERY_STEPS:
            self.flush()
        self._waiting.append((step, loss, accuracy, tokens))

    def flush(self) -> None:
        """Write the rows of the steps since the last flush, all with their average speed."""
        if not self._waiting:
            return
        figures = [(step, rounded(float(loss), float(acc)), n) for step, loss, acc, n in self._waiting]
        elapsed = time.perf_counter() - self._since
        speed = round(sum(tokens for *_, tokens in self._waiting) / max(elapsed, 1e-9), 1)
        self.rows += [
            {**self._place(step), **scores, "tokens": tokens, "tokens_per_s": speed}
            for step, scores, tokens in figures
        ]
        self._waiting.clear()
        self.seconds += elapsed
        self.start_clock()

    def evaluated(self, step: int, scores: dict[str, HeldOutScore]) -> float:
        """Add the row of an evaluation on held-out text, and return the mean loss of its parts."""
        loss = sum(score.loss for score in scores.values()) / len(scores)
        accuracy = sum(score.accuracy for score in scores.values()) / len(scores)
        parts = {name: score.to_json() for name, score in scores.items()}
        self.rows.append({**self._place(step), "held_out": {**rounded(loss, accuracy), **parts}})
        return loss

    def _place(self, step: int) -> dict[str, float]:
        return {"step": step, "epoch": round(step / self.steps_per_epoch, 4)}

    @property
    def tokens_per_s(self) -> float:
        """Tokens per second over all steps, without padding."""
        return float(sum(row.get("tokens", 0) for row in self.rows)) / max(self.seconds, 1e-9)

    def write(self, path: Path) -> None:
        """Write the rows as JSON lines."""
        path.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
