"""Evaluations, early stopping, and a training that was killed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from support.killing import Deadly, Killed

from training.corpus.domain_corpus import CorpusText
from training.domain.checkpoints import Checkpoint
from training.domain.early_stopping import EarlyStoppingTraining
from training.domain.fixed_masks import mask_words
from training.domain.losses import MaskedTextSteps
from training.domain.step_log import StepLog
from training.inference.encoder import Encoder
from training.models import torch_model
from training.models.torch_model import MaskedLm
from training.progress import NoProgress
from training.settings import DomainSettings

CPU = torch.device("cpu")
TEXTS = [
    f"nike {a} are {b} and {c}"
    for a in ("shoes", "socks", "boots")
    for b in ("soft", "light", "great")
    for c in ("good", "nice", "cheap")
]
DOMAIN = DomainSettings(batch_examples=4, epochs=3, evaluations=2, learning_rate=2e-4, patience=3)


def begin(
    masked_lm: MaskedLm, folder: Path, **changed: Any
) -> tuple[EarlyStoppingTraining, MaskedTextSteps, StepLog]:
    domain = DOMAIN.model_copy(update=changed)
    torch.manual_seed(domain.seed)
    log = StepLog()
    texts = MaskedTextSteps(masked_lm, [CorpusText(text, "x") for text in TEXTS], domain, log)
    hidden = mask_words(TEXTS[:6], Encoder(masked_lm.tokenizer, max_tokens=48), share=0.3, seed=0)
    checkpoint = Checkpoint(folder / "checkpoint", "key")
    trainer = EarlyStoppingTraining(
        masked_lm, {"x": hidden}, domain, texts=len(TEXTS), log=log, checkpoint=checkpoint, device=CPU
    )
    texts.skip(trainer.step)
    return trainer, texts, log


def run(
    masked_lm: MaskedLm, folder: Path, progress: NoProgress | None = None, **changed: Any
) -> tuple[EarlyStoppingTraining, StepLog]:
    trainer, texts, log = begin(masked_lm, folder, **changed)
    trainer.run(texts.step, progress or NoProgress())
    return trainer, log


def test_it_is_evaluated_before_between_and_after(masked_lm: MaskedLm, tmp_path: Path) -> None:
    trainer, log = run(masked_lm, tmp_path, patience=100)
    evaluated = [row["step"] for row in log.rows if "held_out" in row]
    assert log.steps_per_epoch == 7
    assert evaluated == [0, 3, 6, 9, 12, 15, 18, 21]
    assert [row["step"] for row in log.rows if "loss" in row] == list(range(1, 22))
    losses = [row["held_out"]["loss"] for row in log.rows if "held_out" in row]
    assert losses[-1] < losses[0]
    assert trainer.step == 21


def test_it_stops_when_held_out_text_says_enough_and_keeps_the_best(
    masked_lm: MaskedLm, tmp_path: Path
) -> None:
    before = {name: weight.clone() for name, weight in masked_lm.state_dict().items()}
    trainer, log = run(masked_lm, tmp_path, learning_rate=1e-2, patience=2, epochs=20)
    losses = [row["held_out"]["loss"] for row in log.rows if "held_out" in row]
    best = min(range(len(losses)), key=losses.__getitem__)
    assert trainer.step < trainer.steps
    assert trainer.best_step == [row["step"] for row in log.rows if "held_out" in row][best]
    if best == 0:
        assert all(torch.equal(weight, before[name]) for name, weight in masked_lm.state_dict().items())


@pytest.mark.parametrize("steps", [1, 3, 4, 10, 20])
def test_a_training_that_was_killed_ends_as_if_it_had_not_been(
    steps: int, masked_lm: MaskedLm, distilbert_folder: Path, tmp_path: Path
) -> None:
    whole, log = run(masked_lm, tmp_path / "whole", patience=100)
    killed = torch_model.load(distilbert_folder)
    with pytest.raises(Killed):
        run(killed, tmp_path / "killed", Deadly(steps), patience=100)
    resumed = torch_model.load(distilbert_folder)
    trainer, again = run(resumed, tmp_path / "killed", patience=100)
    assert (trainer.step, trainer.best_step) == (whole.step, whole.best_step)
    for name, weight in masked_lm.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name])
    unlike = {"tokens_per_s"}
    assert [{k: v for k, v in row.items() if k not in unlike} for row in again.rows] == [
        {k: v for k, v in row.items() if k not in unlike} for row in log.rows
    ]


def test_a_resumed_training_takes_only_the_steps_that_are_left(
    masked_lm: MaskedLm, distilbert_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(masked_lm, tmp_path, Deadly(10), patience=100)
    trainer, _, _ = begin(torch_model.load(distilbert_folder), tmp_path, patience=100)
    assert trainer.step == 9  # the last evaluation before
