"""Each family: its export and its packed layers compute what transformers' own model does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
import torch
from onnx import ModelProto
from support.families import FAMILIES, FUSED, PAD, VOCABULARY, family
from torch import nn
from torch.utils.hooks import RemovableHandle

from training.errors import BaseModelError
from training.models.architectures.any_model import AnyModel
from training.models.architectures.architecture import Architecture, FusedArchitecture
from training.models.architectures.families import architecture_of
from training.models.channel_order import HIDDEN, Channels
from training.models.graph import Fp32Ops
from training.models.output_shift import OutputShift
from training.models.packed import Packing
from training.models.quantization import ActivationRange, Int8Ops

# Number of tokens of each row, and the columns of its masks: first, in the middle, last and twice.
BATCHES = (
    ([9], [[4]]),
    ([3], [[1]]),
    ([9, 4, 12], [[0], [3], [11]]),
    ([7, 5], [[2, 5], [0, 4]]),
    ([40, 6], [[39, 1], [3, 5]]),
)
VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((kind, {}) for kind in FAMILIES),
    *((kind, {"tie_word_embeddings": False}) for kind in ("bert", "roberta")),
    *(("bert", {"hidden_act": name}) for name in ("gelu_new", "relu", "silu")),
    ("distilbert", {"activation": "relu"}),
    ("roberta", {"hidden_act": "gelu_new"}),
    ("modernbert", {"local_attention": 128, "tie_word_embeddings": False, "decoder_bias": False}),
    ("modernbert", {"num_hidden_layers": 4, "hidden_activation": "silu", "classifier_bias": True}),
    ("modernbert", {"attention_bias": True, "mlp_bias": True, "norm_bias": True}),
)


def batch(lengths: Sequence[int], columns: Sequence[Sequence[int]]) -> tuple[torch.Tensor, ...]:
    """Random token ids, padded on the right; the attention mask; and (batch, masks) positions."""
    draw = torch.Generator().manual_seed(0)
    width = max(lengths)
    ids = torch.randint(5, VOCABULARY, (len(lengths), width), generator=draw)
    attention = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    ids[attention == 0] = PAD
    return ids, attention, torch.tensor(columns) + torch.arange(len(lengths))[:, None] * width


def expected_logits(model: Any, ids: torch.Tensor, attention: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Transformers' own logits at the masks: (masks, vocabulary)."""
    logits: torch.Tensor = model(input_ids=ids, attention_mask=attention).logits
    return logits.flatten(0, 1)[at.flatten()]


def session(architecture: Architecture, *, shift: OutputShift | None = None) -> ort.InferenceSession:
    content = architecture.to_onnx(shift, None).SerializeToString()
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=str)
def test_an_export_answers_as_transformers_does(kind: str, settings: dict[str, Any]) -> None:
    model = family(kind, **settings)
    exported = session(architecture_of(model, base="x"))
    for lengths, columns in BATCHES:
        ids, attention, at = batch(lengths, columns)
        feed = {"input_ids": ids, "attention_mask": attention.int(), "mask_at": at}
        (logs,) = exported.run(None, {name: value.numpy() for name, value in feed.items()})
        with torch.no_grad():
            expected = expected_logits(model, ids, attention, at).log_softmax(dim=-1)
        assert logs.shape == expected.shape
        assert np.abs(logs - expected.numpy()).max() <= 1e-4


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=str)
def test_packed_layers_have_the_logits_and_the_gradient_of_the_plain_ones(
    kind: str, settings: dict[str, Any]
) -> None:
    model = family(kind, **settings)
    architecture = architecture_of(model, base="x")
    assert isinstance(architecture, FusedArchitecture) == (kind in FUSED)
    if not isinstance(architecture, FusedArchitecture):
        return
    for lengths, columns in BATCHES:
        ids, attention, at = batch(lengths, columns)
        found, gradients = [], []
        for is_packed in (False, True):
            model.zero_grad()
            if is_packed:
                logits = packed_logits(architecture, ids, attention, at.flatten())
            else:
                logits = expected_logits(model, ids, attention, at)
            torch.autograd.backward(logits.log_softmax(dim=-1)[:, 7].sum())
            found.append(logits.detach())
            grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
            gradients.append({name: grad.clone() for name, grad in grads.items()})
        plain, packed = gradients
        assert torch.allclose(*found, atol=1e-4)
        # Of words that are no part of the batch the packed path has no gradient, of others the same.
        assert set(packed) == set(plain)
        for name, gradient in plain.items():
            assert torch.allclose(gradient, packed[name], atol=2e-4, rtol=1e-3), name


def packed_logits(
    architecture: FusedArchitecture, ids: torch.Tensor, attention: torch.Tensor, at: torch.Tensor
) -> torch.Tensor:
    packing = Packing.of(ids, attention, at)
    hidden = architecture.packed_embeddings(ids, packing)
    *lower, last = architecture.packed_layers
    for layer in lower:
        hidden = layer(hidden, packing)
    logits: torch.Tensor = architecture.head(last(hidden, packing, at_masks=True))
    return logits


@pytest.mark.parametrize("kind", FAMILIES)
def test_states_and_logits_at_the_masks_are_those_of_transformers(kind: str) -> None:
    model = family(kind)
    architecture = architecture_of(model, base="x")
    ids, attention, at = batch([7, 5], [[2, 5], [0, 4]])
    with torch.no_grad():
        states, logits = architecture.states_and_logits(ids, attention, at.flatten())
        expected = expected_logits(model, ids, attention, at)
        last = model(input_ids=ids, attention_mask=attention, output_hidden_states=True).hidden_states[-1]
    assert torch.allclose(logits, expected, atol=1e-4)
    assert states.shape == (4, architecture.shape.hidden_size)
    assert torch.allclose(states, last.flatten(0, 1)[at.flatten()], atol=1e-4)
    assert torch.equal(states, architecture.states(ids, attention, at.flatten()))


@pytest.mark.parametrize(
    ("kind", "settings", "tokens"),
    [
        ("bert", {}, 48),
        ("bert", {"max_position_embeddings": 2_048}, 512),
        ("roberta", {}, 46),  # two positions of 48 are of the padding and before
        ("xlm-roberta", {"max_position_embeddings": 514}, 512),
        ("modernbert", {"max_position_embeddings": 8_192}, 512),
    ],
)
def test_a_query_is_no_longer_than_the_positions_or_512(
    kind: str, settings: dict[str, Any], tokens: int
) -> None:
    model = family(kind, **settings)
    assert architecture_of(model, base="x").shape.max_tokens == tokens
    ids, attention, _ = batch([tokens], [[tokens - 1]])
    with torch.no_grad():
        assert model(input_ids=ids, attention_mask=attention).logits.isfinite().all()


@pytest.mark.parametrize("settings", [{"hidden_act": "mish"}, {"is_decoder": True}], ids=str)
def test_what_the_graph_does_not_compute_goes_without_the_fast_path(settings: dict[str, Any]) -> None:
    assert isinstance(architecture_of(family("bert", **settings), base="x"), AnyModel)


class ShuffledOps(Fp32Ops):
    """In fp32, with all channels in another order."""

    def arranged(self, channels: Channels) -> "ShuffledOps":
        """Draw an order of each kind of channels."""
        draw = np.random.default_rng(0)
        shuffled = ShuffledOps()
        parts = sorted({part for axes in channels.values() for part in axes if part is not None})
        shuffled.orders = {part: draw.permutation(32 if part == HIDDEN else 64) for part in parts}
        return shuffled


def some_shift() -> OutputShift:
    draw = torch.Generator().manual_seed(1)
    return OutputShift(
        good=torch.tensor([9, 12]),
        bad=torch.tensor([7, 30]),
        shifts=torch.linspace(-5, 5, VOCABULARY),
        slot_weight=torch.randn(32, generator=draw),
        slot_bias=torch.tensor(0.1),
    )


@pytest.mark.parametrize(
    ("kind", "settings"), [variant for variant in VARIANTS if variant[0] in FUSED], ids=str
)
def test_the_order_of_channels_makes_no_difference(kind: str, settings: dict[str, Any]) -> None:
    architecture = architecture_of(family(kind, **settings), base="x")
    ids, attention, at = batch([7, 5], [[2, 5], [0, 4]])
    feed = {"input_ids": ids.numpy(), "attention_mask": attention.int().numpy(), "mask_at": at.numpy()}
    usual, shuffled = (
        ort.InferenceSession(
            architecture.to_onnx(some_shift(), ops).SerializeToString(), providers=["CPUExecutionProvider"]
        ).run(None, feed)[0]
        for ops in (None, ShuffledOps())
    )
    assert np.abs(usual - shuffled).max() <= 1e-4


@pytest.mark.parametrize("kind", ["albert", "mpnet"])
def test_a_traced_graph_shifts_as_the_torch_model_does(kind: str) -> None:
    architecture = architecture_of(family(kind), base="x")
    shift = some_shift()
    exported = session(architecture, shift=shift)
    ids, attention, at = batch([7, 5], [[2, 5], [0, 4]])
    feed = {"input_ids": ids, "attention_mask": attention.int(), "mask_at": at}
    (logs,) = exported.run(None, {name: value.numpy() for name, value in feed.items()})
    with torch.no_grad():
        states, logits = architecture.states_and_logits(ids, attention, at.flatten())
        expected = shift.apply(logits, shift.slots(states)).log_softmax(dim=-1)
    assert np.abs(logs - expected.numpy()).max() <= 1e-4


def quantized(architecture: Architecture) -> tuple[ModelProto, npt.NDArray[np.float32]]:
    """The model in int8, and the differences of its log-probabilities from those of the torch model."""
    ids, attention, at = batch([7, 5, 12], [[2, 5], [0, 4], [1, 11]])
    ranges: dict[str, ActivationRange] = {}

    def watched(name: str, linear: nn.Linear) -> RemovableHandle:
        def note(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            ranges[name] = ActivationRange.of(inputs[0].flatten(0, -2)).union(ranges.get(name))

        return linear.register_forward_pre_hook(note)

    handles = [watched(name, linear) for name, linear in architecture.linear_layers().items()]
    with torch.no_grad():
        _, logits = architecture.states_and_logits(ids, attention, at.flatten())
    for handle in handles:
        handle.remove()
    content = architecture.to_onnx(None, Int8Ops(ranges))
    exported = ort.InferenceSession(content.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {"input_ids": ids, "attention_mask": attention.int(), "mask_at": at}
    (logs,) = exported.run(None, {name: value.numpy() for name, value in feed.items()})
    return content, np.abs(logs - logits.log_softmax(dim=-1).numpy())


def test_a_traced_graph_is_quantized_with_the_outliers_apart() -> None:
    architecture = architecture_of(family("albert"), base="x")
    content, difference = quantized(architecture)
    operators = [node.op_type for node in content.graph.node]
    # Three layers with the weights of one, each with six products; one before the layers, two in the head.
    assert operators.count("MatMulIntegerToFloat") == 3 * 6 + 3
    names = [each.name for each in content.graph.initializer]
    assert len(names) == len(set(names))
    assert sum(name.endswith(".weight.int8") for name in names) == 6 + 3
    assert 0 < difference.max() < 1.5
    assert difference.mean() < 0.1


def test_a_model_that_cannot_be_exported_is_refused() -> None:
    with pytest.raises(BaseModelError, match="cannot be exported to ONNX"):
        architecture_of(family("fnet"), base="x").to_onnx(None, None)


def test_a_model_without_an_encoder_of_its_own_is_refused() -> None:
    model = family("bert")
    with pytest.raises(BaseModelError, match="cannot be told apart"):
        AnyModel(model.bert, base="x")


def test_a_model_that_no_onnx_file_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.models.architectures.families.MAX_BYTES", 100_000)
    with pytest.raises(BaseModelError, match="2 GB"):
        architecture_of(family("bert"), base="x")


@pytest.mark.parametrize("kind", ["albert", "mpnet"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_share_of_the_layers_is_frozen(kind: str, share: float) -> None:
    architecture = architecture_of(family(kind), base="x")
    assert isinstance(architecture, AnyModel)
    architecture.freeze(share)
    frozen = {name for name, each in architecture.model.named_parameters() if not each.requires_grad}
    assert bool(frozen) == (share > 0)
    if share:
        assert architecture.projection.weight.requires_grad is False
        assert any("word_embeddings" in name for name in frozen)
        assert any("layer.0." in name for name in frozen) == (kind == "mpnet")  # ALBERT's layers are one
        assert not any("layer.1." in name for name in frozen)


def test_a_modernbert_in_int8_is_close_to_fp32() -> None:
    architecture = architecture_of(family("modernbert"), base="x")
    content, difference = quantized(architecture)
    products = [node for node in content.graph.node if node.op_type == "MatMulIntegerToFloat"]
    assert len(products) == 3 * 4 + 1 + 2  # the last layer multiplies queries apart
    assert 0 < difference.max() < 1.5
    assert difference.mean() < 0.1
