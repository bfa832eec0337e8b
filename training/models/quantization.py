"""Products in int8: weights by output channel, activations by one scale a product, outliers left in fp32.

A few channels of a transformer's activations are tens of times larger than the rest, and one scale for all
leaves the rest hardly any steps (Dettmers et al. 2208.07339). Those channels are known before: they are split
off when the graph is written, and multiplied in fp32. The scales are fixed then, too, from the activations of
generated sentences, so that an answer does not depend on who else is in the batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Self

import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto, helper
from torch import nn

from training.corpus.replay_sentences import ReplaySentences
from training.inference.encoder import Encoded, Encoder
from training.models.onnx_export import FUSED, Floats, Graph
from training.models.torch_model import MaskedLm

OUTLIERS = 1 / 12  # of a product's input channels, left in fp32
HEADROOM = 1.1  # of the range that was seen
CALIBRATED_ON = 64  # generated sentences of each sort
STACKED = {"qkv": "q", "kv": "q"}  # product → one of the linear layers that have its input


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest activation seen, by input channel: (in,) each."""

    low: Floats
    high: Floats

    @classmethod
    def of(cls, activations: torch.Tensor) -> Self:
        """Of (rows, in) activations."""
        return cls(activations.amin(dim=0).numpy(), activations.amax(dim=0).numpy())

    def joined(self, other: "Range | None") -> "Range":
        """What lies in either."""
        if other is None:
            return self
        return Range(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


def calibrate(model: MaskedLm) -> dict[str, Range]:
    """The ranges of the inputs of all linear layers over generated sentences, by the names of `weights`."""
    replay_sentences = ReplaySentences.generate(seed=0, sentences=40 * CALIBRATED_ON, replayed=1)
    blame = [query for query, _ in replay_sentences.blame]
    texts = [
        text
        for part in (replay_sentences.praise, blame, replay_sentences.others)
        for text in part[:CALIBRATED_ON]
    ]
    encoder = Encoder(model.tokenizer, max_tokens=model.shape.max_tokens)
    return ranges_of(model, [encoder.encode(text) for text in texts])


def ranges_of(model: MaskedLm, queries: Sequence[Encoded]) -> dict[str, Range]:
    """The ranges of the inputs of all linear layers, by the names of `weights`. Nothing is padded."""
    ranges: dict[str, Range] = {}

    def watch(name: str, linear: nn.Linear) -> torch.utils.hooks.RemovableHandle:
        def note(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            ranges[name] = Range.of(inputs[0].detach().flatten(0, -2)).joined(ranges.get(name))

        return linear.register_forward_pre_hook(note)

    handles = [watch(name, linear) for name, linear in model.linears().items()]
    try:
        with torch.inference_mode():
            by_length = sorted(queries, key=lambda query: len(query.ids))
            for length, group in groupby(by_length, key=lambda query: len(query.ids)):
                batch = list(group)
                at = [row * length + place for row, query in enumerate(batch) for place in query.masks]
                model(torch.tensor([query.ids for query in batch]), None, torch.tensor(at))
    finally:
        for handle in handles:
            handle.remove()
    return ranges


@cache
def largest_weight() -> int:
    """Return the largest integer that a weight may become: 127, or 64 where products saturate.

    x86 without VNNI adds two products of 8 bits in 16 bits: 2 · 255 · 64 is the most that fits. ONNX
    Runtime's guide calls that `reduce_range`. Whether this processor does so is tried with one product.
    """
    inner = 64
    inputs = [
        helper.make_tensor("values", TensorProto.UINT8, (1, inner), [255] * inner),
        helper.make_tensor("weights", TensorProto.INT8, (inner, 1), [127] * inner),
    ]
    node = helper.make_node("MatMulInteger", ["values", "weights"], ["product"])
    product = helper.make_tensor_value_info("product", TensorProto.INT32, (1, 1))
    model = helper.make_model(
        helper.make_graph([node], "probe", [], [product], inputs),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
    )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # else it is folded away
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {})
    return 127 if int(found[0, 0]) == 255 * 127 * inner else 64


class Int8:
    """Products in int8; see the module."""

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        """Take the ranges of `calibrate`."""
        self._ranges = ranges

    def multiply(self, graph: Graph, value: str, name: str, weight: Floats, bias: Floats | None) -> str:
        """The outliers in fp32, plus all other channels in int8."""
        seen = self._range(name)
        reach = np.maximum(-seen.low, seen.high)  # (in,)
        outliers = np.sort(np.argsort(-reach, kind="stable")[: int(len(reach) * OUTLIERS)])
        if not len(outliers):
            return self._quantized(graph, value, name, weight, bias, seen)
        is_kept = np.ones(len(reach), dtype=np.float32)
        is_kept[outliers] = 0
        columns = graph.constant(f"{name}.outliers", outliers.astype(np.int64))
        large = graph.node("Gather", [value, columns], f"{name}.large", axis=-1)
        exact = graph.node(
            "MatMul", [large, graph.constant(f"{name}.exact", weight[outliers])], f"{name}.exact_product"
        )
        # The outliers are beyond the range of the others, and end at its border: their weights are 0 here.
        rest = Range(seen.low * is_kept, seen.high * is_kept)
        most = self._quantized(graph, value, name, weight * is_kept[:, None], bias, rest)
        return graph.node("Add", [most, exact], f"{name}.sum")

    def look_up(self, graph: Graph, ids: str) -> str:
        """Rows of the table in fp16: half of its memory, and no answer notices."""
        table = graph.constant("words.half", graph.weights["words"].astype(np.float16))
        rows = graph.node("Gather", [table, ids], "half_rows", axis=0)
        return graph.node("Cast", [rows], "word_rows", to=TensorProto.FLOAT)

    def project(self, graph: Graph, value: str) -> str:
        """Without outliers: its input has hardly any, and it is half of what one query reads."""
        weight, bias = graph.weights["projector.weight"].T, graph.weights["projector.bias"]
        return self._quantized(graph, value, "projector", weight, bias, self._ranges["projector"])

    def _range(self, name: str) -> Range:
        layer, _, part = name.rpartition(".")
        return self._ranges[f"{layer}.{STACKED[part]}" if part in STACKED else name]

    def _quantized(
        self, graph: Graph, value: str, name: str, weight: Floats, bias: Floats | None, seen: Range
    ) -> str:
        low, high = min(0.0, float(seen.low.min())) * HEADROOM, max(0.0, float(seen.high.max())) * HEADROOM
        step = max(high - low, 1e-6) / 255
        scale = graph.constant(f"{name}.step", np.float32(step))
        zero = graph.constant(f"{name}.zero", np.uint8(round(-low / step)))
        steps = np.maximum(np.abs(weight).max(axis=0) / largest_weight(), 1e-12).astype(np.float32)  # (out,)
        integers = np.rint(weight / steps).astype(np.int8)
        inputs = [
            graph.node("QuantizeLinear", [value, scale, zero], f"{name}.integers"),
            graph.constant(f"{name}.weight.int8", integers),
            scale,
            graph.constant(f"{name}.weight.steps", steps),
            zero,
            "",  # the weights' zero is 0
            *([] if bias is None else [graph.constant(f"{name}.bias", bias)]),
        ]
        return graph.node("MatMulIntegerToFloat", inputs, f"{name}.product", domain=FUSED)
