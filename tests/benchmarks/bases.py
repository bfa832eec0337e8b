"""ModernBERT's shape: the hand-written graph against the one that `torch.onnx` traces, and the pipeline."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from measure import Row, in_turn
from sized import IS_SMALL, sentences, tokenizer
from torch import nn
from transformers import ModernBertConfig, ModernBertForMaskedLM, PreTrainedTokenizerFast, pipeline

from training.inference.words import BERT_TOKENS
from training.models.graph import OPSET
from training.models.onnx_export import export
from training.models.quantization import Int8Ops, calibrate
from training.models.torch_model import MaskedLm

ROUNDS, BATCHES = 9, (1, 8, 16)
TOKENS = 10


def run() -> list[Row]:
    """Queries of ten tokens, alone and in batches, on all four, which answer in turn."""
    model = _modernbert()
    with tempfile.TemporaryDirectory() as folder:
        sessions = _sessions(model, Path(folder))
        return [row for batch in BATCHES for row in _rows(model, sessions, batch)]


def _modernbert() -> MaskedLm:
    """22 layers of 768, 50,368 entries, random weights: 150 M parameters."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = ModernBertForMaskedLM(ModernBertConfig(**(sizes if IS_SMALL else {})))
    return MaskedLm(model, tokenizer(), base="sized").eval()


def _sessions(model: MaskedLm, folder: Path) -> dict[str, ort.InferenceSession]:
    export(model, folder / "fp32.onnx")
    export(model, folder / "int8.onnx", ops=Int8Ops(calibrate(model)))
    _export_plainly(model, folder / "plain.onnx")
    options = ort.SessionOptions()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return {
        name: ort.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
        for name in ("int8", "fp32", "plain")
    }


def _export_plainly(model: MaskedLm, path: Path) -> None:
    """As people export: the logits of all tokens, in fp32."""

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
            return logits

    ids = torch.ones(2, TOKENS, dtype=torch.int64)
    sizes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Plain().eval(),
            (ids, ids),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": sizes, "attention_mask": sizes, "logits": sizes},
        )


def _rows(model: MaskedLm, sessions: dict[str, ort.InferenceSession], batch: int) -> list[Row]:
    encoder = model.encoder
    ids = np.random.default_rng(0).integers(1_000, 30_000, (batch, TOKENS))
    ids[:, 4] = encoder.mask
    attention = np.ones_like(ids)
    ours = {"input_ids": ids, "attention_mask": attention.astype(np.int32)}
    ours["mask_at"] = (np.arange(batch) * TOKENS + 4)[:, None]
    plain = {"input_ids": ids, "attention_mask": attention}
    works: dict[str, Callable[[], Any]] = {
        name: lambda session=session, feed=plain if name == "plain" else ours: session.run(None, feed)
        for name, session in sessions.items()
    }
    fill = _pipeline(model)
    queries = [query for query in sentences(40 * batch, seed=3) if len(query.split()) <= TOKENS][:batch]
    works["pipeline"] = lambda: fill(queries, top_k=20, batch_size=batch)
    seconds = in_turn(works, rounds=ROUNDS)
    return [
        Row(
            f"ModernBERT of 150 M, {batch} × {TOKENS} tokens, {name}, against {other}",
            seconds[name] * 1e3,
            "ms",
            seconds[other] * 1e3,
        )
        for name in ("int8", "fp32")
        for other in ("plain", "pipeline")
    ]


def _pipeline(model: MaskedLm) -> Any:
    fast = PreTrainedTokenizerFast(
        tokenizer_object=model.tokenizer, **BERT_TOKENS.for_transformers(model.tokenizer)
    )
    return pipeline("fill-mask", model=model.model, tokenizer=fast)
