"""A base of each family with a tokenizer of its kind: from a folder to its answers, and to a night's step."""

import json
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import torch
from support.families import family
from support.tokenizer_kinds import tokenizer_folder
from transformers import AutoModelForMaskedLM, AutoTokenizer

from training.finetuning.batches import query_batch
from training.finetuning.reference_model import with_reference
from training.inference.encoder import Encoded
from training.models import torch_model
from training.models.writing import write_files
from training.registry.versions import Draft

# Family → its usual kind of tokenizer.
TOKENIZERS = {
    "bert": "bert",
    "distilbert": "bert-cased",
    "roberta": "roberta",
    "xlm-roberta": "xlm-roberta",
    "camembert": "camembert",
    "modernbert": "modernbert",
    "albert": "albert",
    "mpnet": "mpnet",
}
QUERIES = ("Nike shoes are very [MASK].", "[MASK] shoes are [MASK] and cheap", "It is [MASK]")


def base_folder(kind: str, folder: Path) -> Path:
    """What the hub would give of a tiny model with a real tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder(TOKENIZERS[kind]))
    ids: dict[str, Any] = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    if kind == "modernbert":
        special = {"cls": tokenizer.cls_token_id, "sep": tokenizer.sep_token_id}
        special |= {"bos": special["cls"], "eos": special["sep"]}
        ids |= {f"{name}_token_id": token for name, token in special.items()}
    family(kind, **ids).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_base_answers_as_transformers_does_and_learns(kind: str, tmp_path: Path) -> None:
    folder = base_folder(kind, tmp_path / "base")
    model = torch_model.load(folder)
    model.add_words(["washablest"])
    (tmp_path / "v0001").mkdir()
    served = write_files(model, Draft("v0001", tmp_path / "v0001"), shown_words=5, precision="fp32")
    theirs = AutoModelForMaskedLM.from_pretrained(tmp_path / "v0001")
    assert served.has_fast_path == (kind not in ("albert", "mpnet"))
    queries = [served.encoder.encode(query) for query in QUERIES]
    graph = ort.InferenceSession(tmp_path / "v0001" / "model.onnx", providers=["CPUExecutionProvider"])
    for query in queries:
        ids, masks = torch.tensor([query.ids]), torch.tensor([query.masks])
        feed = {"input_ids": ids, "attention_mask": torch.ones_like(ids).int(), "mask_at": masks}
        (logs,) = graph.run(None, {name: value.numpy() for name, value in feed.items()})
        with torch.no_grad():
            logits = theirs(input_ids=ids).logits[0, list(query.masks)]
        assert logs == pytest.approx(logits.log_softmax(dim=-1).numpy(), abs=1e-4)
    assert all(candidates for masks in served.fill(QUERIES, top=5) for candidates in masks)
    again = torch_model.load(tmp_path / "v0001")
    assert again.shape == model.shape
    step(again, queries)


def step(model: torch_model.MaskedLm, queries: list[Encoded]) -> None:
    """A step of training raises what it should; the reference stays."""
    batch = query_batch(queries, model.encoder.pad)
    inputs = (batch.input_ids, batch.attention_mask, batch.mask_at)
    paired = with_reference(model, frozen_share=0.5)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    logits, reference = paired(*inputs)
    assert torch.allclose(logits, reference, atol=1e-4)
    torch.autograd.backward(-logits.log_softmax(dim=-1)[:, 9].sum())
    optimiser.step()
    after, still = paired(*inputs)
    assert torch.equal(still, reference)
    assert after.log_softmax(dim=-1)[:, 9].sum() > logits.log_softmax(dim=-1)[:, 9].sum()


def test_code_that_a_base_of_a_known_kind_brings_is_not_run(tmp_path: Path) -> None:
    folder = base_folder("bert", tmp_path / "base")
    marker = tmp_path / "ran"
    (folder / "modeling.py").write_text(f"open({str(marker)!r}, 'w')\n")
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "modeling.Config", "AutoModelForMaskedLM": "modeling.Model"}
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": own}))
    assert type(torch_model.load(folder).model).__module__.startswith("transformers.")
    assert not marker.exists()
