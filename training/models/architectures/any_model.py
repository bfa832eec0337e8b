"""Every other model that `AutoModelForMaskedLM` loads: run whole, and traced by `torch.onnx`.

Nothing is known of such a model but its encoder (`base_model`), whose states are replaced by those at the
masks before the head sees them, and its output projection.
"""

import contextlib
import hashlib
import io
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import structlog
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from storage.sentences import Sentence
from training.errors import BaseModelError
from training.models.architectures.architecture import MAX_TOKENS, Architecture, EncoderShape
from training.models.graph import FUSED, OPSET, Floats, Graph, WeightOps
from training.models.out_of_memory import is_out_of_memory
from training.models.output_shift import OutputShift

log = structlog.stdlib.get_logger(__name__)
INPUTS = ("input_ids", "attention_mask", "mask_at")
MAX_DIFFERENCE = 1e-3  # of log-probabilities between the model and its traced graph; usual is 1e-6


class AnyModel(Architecture):
    """A model of a family without a hand-written graph."""

    def __init__(self, model: Any, *, base: str) -> None:
        """Wrap a transformers model.

        Raises:
            BaseModelError: Its encoder and its output projection cannot be told apart.
        """
        super().__init__(model)
        self._base = base
        if model.base_model is model or not isinstance(model.get_output_embeddings(), nn.Linear):
            reason = Sentence(
                "it is of kind {kind!r}, whose encoder and head cannot be told apart",
                kind=model.config.model_type,
            )
            raise BaseModelError(base, reason)

    @property
    def shape(self) -> EncoderShape:
        """The encoder's sizes, by the usual names of the configuration."""
        config = self.model.config
        positions = getattr(config, "max_position_embeddings", None) or MAX_TOKENS
        for name, module in self.model.base_model.named_modules():
            is_table = name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
            if is_table and module.padding_idx is not None:  # positions count from there, as RoBERTa's
                positions -= int(module.padding_idx) + 1
        return EncoderShape(config.hidden_size, min(positions, MAX_TOKENS))

    @property
    def layers(self) -> list[nn.Module]:
        """The encoder's layers: its longest list of modules."""
        modules = self.model.base_model.modules()
        lists = [list(each) for each in modules if isinstance(each, nn.ModuleList)]
        return max(lists, key=len, default=[])

    def freeze(self, share: float) -> None:
        """Freeze the embeddings, the output projection and a share of the layers; with 0, nothing."""
        if not share:
            return
        layers = self.layers
        embeddings = getattr(self.model.base_model, "embeddings", self.model.get_input_embeddings())
        for module in (embeddings, *layers[: int(len(layers) * share)]):
            module.requires_grad_(False)
        self.projection.weight.requires_grad_(False)

    def states(self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor) -> Tensor:
        """Run the encoder."""
        hidden = self.model.base_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        states: Tensor = hidden.flatten(0, 1)[mask_at]  # (batch, tokens, hidden) → (masks, hidden)
        return states

    def states_and_logits(
        self, input_ids: Tensor, attention_mask: Tensor | None, mask_at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run the model with a head that sees the states at the masks only."""
        seen: list[Tensor] = []

        def keep_masks(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            seen.append(output.last_hidden_state.flatten(0, 1)[mask_at])  # (masks, hidden)
            output.last_hidden_state = seen[-1][None]
            return output

        hook = self.model.base_model.register_forward_hook(keep_masks)
        try:
            logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits[0]
        finally:
            hook.remove()
        return seen[-1], logits

    def linear_layers(self) -> dict[str, nn.Linear]:
        """Return all of the model, by their paths."""
        return {name: each for name, each in self.model.named_modules() if isinstance(each, nn.Linear)}

    def to_onnx(self, shift: OutputShift | None, ops: WeightOps | None) -> onnx.ModelProto:
        """Trace the model, and compare the graph with it.

        Raises:
            BaseModelError: It cannot be traced, or its graph answers otherwise.
        """
        log.warning("export.without_fast_path", base=self._base, kind=self.model.config.model_type)
        traced = _Traced(self, shift).eval()
        try:
            with self._eager_attention():
                graph = self._trace(traced)
                difference = self._difference(traced, graph)
        except Exception as error:  # models and exporter raise almost anything
            if is_out_of_memory(error):
                raise
            lines = str(error).strip().splitlines() or [type(error).__name__]
            reason = Sentence("it cannot be exported to ONNX ({error})", error=lines[0])
            raise BaseModelError(self._base, reason) from error
        if not difference <= MAX_DIFFERENCE:  # it may not be a number
            raise BaseModelError(self._base, Sentence("exported to ONNX, it answers otherwise"))
        return graph if ops is None else _with_ops(graph, self.linear_layers(), ops)

    @contextlib.contextmanager
    def _eager_attention(self) -> Iterator[None]:
        """Compute attention in plain operations, which the exporter knows, instead of fused ones."""
        usual = self.model.config._attn_implementation
        self.model.set_attn_implementation("eager")
        try:
            yield
        finally:
            self.model.set_attn_implementation(usual)

    def _trace(self, traced: nn.Module) -> onnx.ModelProto:
        # The exporter and the traced code warn of constants; `_difference` finds those that matter. The
        # exporter also prints the graph that it cannot export.
        with (
            tempfile.TemporaryDirectory() as folder,
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            path = Path(folder) / "traced.onnx"
            torch.onnx.export(
                traced,
                self._probe([7, 5]),
                path,
                dynamo=False,  # the other exporter needs onnxscript
                opset_version=OPSET,
                input_names=list(INPUTS),
                output_names=["log_probabilities"],
                dynamic_axes={
                    "input_ids": {0: "batch", 1: "tokens"},
                    "attention_mask": {0: "batch", 1: "tokens"},
                    "mask_at": {0: "batch", 1: "masks"},
                    "log_probabilities": {0: "rows"},
                },
            )
            return onnx.load_model(str(path))

    def _difference(self, traced: nn.Module, graph: onnx.ModelProto) -> float:
        """Answer with both at lengths other than the traced one, and return the largest difference."""
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        differences = []
        for lengths in ([self.shape.max_tokens], [3, 11, 6]):
            inputs = self._probe([min(length, self.shape.max_tokens) for length in lengths])
            feed = {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True)}
            (found,) = session.run(None, feed)
            with torch.no_grad():
                differences.append(np.abs(found - traced(*inputs).numpy()).max())
        return float(np.max(differences))

    def _probe(self, lengths: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids of rows of some lengths, padded, their attention mask, and the last token of each."""
        config = self.model.config
        rows, width = len(lengths), max(lengths)
        draw = torch.Generator().manual_seed(0)
        ids = torch.randint(config.vocab_size, (rows, width), generator=draw)
        padding = getattr(config, "pad_token_id", None) or 0
        ids[ids == padding] = (padding + 1) % config.vocab_size
        attention = (torch.arange(width) < torch.tensor(lengths)[:, None]).int()
        ids[attention == 0] = padding
        last = torch.tensor(lengths)[:, None] - 1 + torch.arange(rows)[:, None] * width
        return ids, attention, last


class _Traced(nn.Module):
    """The model with the inputs and the output of `onnx_export.export`."""

    def __init__(self, architecture: AnyModel, shift: OutputShift | None) -> None:
        super().__init__()
        self.model = architecture.model  # its path begins the names of the graph's nodes
        self._architecture, self._shift = architecture, shift

    def forward(self, input_ids: Tensor, attention_mask: Tensor, mask_at: Tensor) -> Tensor:
        states, logits = self._architecture.states_and_logits(
            input_ids, attention_mask.long(), mask_at.flatten()
        )
        if self._shift is not None:
            logits = self._shift.apply(logits, self._shift.slots(states))
        return logits.log_softmax(dim=-1)


def _with_ops(model: onnx.ModelProto, linear_layers: dict[str, nn.Linear], ops: WeightOps) -> onnx.ModelProto:
    """Replace the products with weights of linear layers by those of `ops`."""
    weights = {each.name: each for each in model.graph.initializer}
    paths = {_digest(each.weight.detach().numpy().T): path for path, each in linear_layers.items()}
    graph, renamed = Graph({}), dict[str, str]()
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if node.op_type == "Identity" and node.input[0] in weights:  # of weights that several layers share
            renamed[node.output[0]] = node.input[0]
            continue
        if node.op_type == "MatMul" and node.input[1] in weights:
            weight = numpy_helper.to_array(weights[node.input[1]])
            if (path := paths.get(_digest(weight))) is not None:
                renamed[node.output[0]] = ops.multiply(graph, node.input[0], path, weight, None)
                continue
        graph.added.append(node)
    used = {name for node in graph.added for name in node.input}
    kept = [each for name, each in weights.items() if name in used]
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.initializer[:]
    made.graph.node.extend(graph.added)
    made.graph.initializer.extend([*kept, *graph.constants.values()])
    made.opset_import.append(onnx.helper.make_opsetid(FUSED, 1))
    return made


def _digest(weight: Floats) -> tuple[tuple[int, ...], bytes]:
    return weight.shape, hashlib.blake2b(np.ascontiguousarray(weight).tobytes()).digest()
