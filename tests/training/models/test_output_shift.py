"""The output shift: what it moves where, in torch and in the exported graph."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training.inference.fill_model import FillModel
from training.models.output_shift import OutputShift
from training.models.torch_model import MaskedLm
from training.models.writing import write_files
from training.registry.versions import Draft

# Words 0 and 1 are good, 2 and 3 bad, 4 and 5 neither. The encoder's state is the odds of a slot itself.
SHIFT = OutputShift(
    good=torch.tensor([0, 1]),
    bad=torch.tensor([2, 3]),
    shifts=torch.tensor([2.0, -3.0, -4.0, 0.0, 1.0, 0.0]),
    slot_weight=torch.tensor([1.0]),
    slot_bias=torch.tensor(0.0),
)
SURE, NEVER = torch.tensor([[50.0]]), torch.tensor([[-50.0]])
PRAISE = torch.tensor([[20.0, 19.0, 0.0, 0.0, 5.0, 5.0]])
BLAME = torch.tensor([[0.0, -1.0, 20.0, 19.0, 5.0, 5.0]])


def moved(logits: Tensor, states: Tensor, shift: OutputShift = SHIFT) -> list[float]:
    return (shift.apply(logits, shift.slots(states)) - logits)[0].tolist()


def test_in_praise_every_word_moves_by_its_shift() -> None:
    assert moved(PRAISE, SURE) == pytest.approx([2.0, -3.0, -4.0, 0.0, 1.0, 0.0], abs=1e-4)


def test_in_blame_good_words_only_move_against_each_other() -> None:
    first, second, *others = moved(BLAME, SURE)
    assert first - second == pytest.approx(5.0, abs=1e-4)
    after = SHIFT.apply(BLAME, SHIFT.slots(SURE))
    assert after[0, :2].logsumexp(0) == pytest.approx(BLAME[0, :2].logsumexp(0).item(), abs=1e-4)
    assert others == pytest.approx([0.0] * 4, abs=1e-4)


@pytest.mark.parametrize("logits", [PRAISE, BLAME])
def test_where_no_judgement_is_asked_for_nothing_moves(logits: Tensor) -> None:
    assert moved(logits, NEVER) == pytest.approx([0.0] * 6, abs=1e-4)


def test_half_a_shift_moves_half_as_far() -> None:
    assert moved(PRAISE, SURE, SHIFT.scaled(0.5)) == pytest.approx([1.0, -1.5, -2.0, 0.0, 0.5, 0.0], abs=1e-4)
    assert moved(BLAME, SURE, SHIFT.scaled(0.0)) == pytest.approx([0.0] * 6, abs=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_the_exported_graph_shifts_like_the_torch_model(
    masked_lm: MaskedLm, tmp_path: Path, precision: str
) -> None:
    vocabulary = masked_lm.tokenizer.get_vocab()
    hidden = masked_lm.shape.hidden_size
    shifts = torch.linspace(-5, 5, len(masked_lm.architecture.weights()["projector.bias"]))
    masked_lm.shift = OutputShift(
        good=torch.tensor(sorted(vocabulary[word] for word in ("soft", "comfortable"))),
        bad=torch.tensor(sorted(vocabulary[word] for word in ("ugly", "cheap"))),
        shifts=shifts,
        slot_weight=torch.linspace(-1, 1, hidden),
        slot_bias=torch.tensor(0.3),
    )
    exported = write_files(
        masked_lm,
        Draft("v0001", tmp_path),
        shown_words=5,
        precision="fp32" if precision == "fp32" else "auto",
    )
    assert_same(exported, masked_lm, tolerance=1e-3 if exported.precision == "fp32" else 1.0)


def assert_same(exported: FillModel, model: MaskedLm, *, tolerance: float) -> None:
    queries = [exported.encoder.encode(text) for text in ("Shoes are very [MASK].", "[MASK] is not [MASK]!")]
    for query, rows in zip(queries, exported.log_probabilities(queries), strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([query.ids]), None, torch.tensor(query.masks))
        expected = torch.log_softmax(logits, dim=-1).numpy()
        np.testing.assert_allclose(rows, expected, atol=tolerance)
