"""Torch model → masks-only ONNX graph.

The graphs of BERT's and ModernBERT's kinds are built node by node from the weights instead of by tracing: the
export takes a second, is identical on every machine, and uses ONNX Runtime's fused attention, bias + GELU and
skip + layer norm. The last layer is computed for the masks only, since it needs just the keys and values of
the other tokens. All other models are traced (`architectures/any_model.py`).
"""

from pathlib import Path

import onnx

from training.models.graph import WeightOps
from training.models.torch_model import MaskedLm


def export(model: MaskedLm, path: Path, *, ops: WeightOps | None = None) -> None:
    """Write a model as an ONNX file.

    Inputs: input_ids (batch, tokens) int64; attention_mask (batch, tokens) int32, 1 where there is a token;
    mask_at (batch, masks) int64, positions in the flattened batch: row · tokens + column. Output:
    log_probabilities (batch · masks, vocabulary) float32, natural logarithms.

    Args:
        model: The model to export.
        path: The file to write.
        ops: The operations with weights; fp32 if None.

    Raises:
        BaseModelError: The model cannot be traced.
    """
    onnx.save_model(model.architecture.to_onnx(model.shift, ops), str(path))
