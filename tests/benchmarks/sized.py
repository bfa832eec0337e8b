"""Model versions of distilbert-base-uncased's size, with random weights: time does not depend on them."""

import os
from pathlib import Path

import torch
from support.tiny import word_piece
from tokenizers import Tokenizer
from transformers import DistilBertConfig, DistilBertForMaskedLM

from training.corpus.generator import generate
from training.inference import vocabulary
from training.inference.fill_model import GRAPH
from training.inference.words import BERT_TOKENS, Words
from training.models.onnx_export import export
from training.models.quantization import Int8Ops, calibrate
from training.models.quantization_check import QuantizationCheck
from training.models.torch_model import MaskedLm
from training.models.writing import make_card
from training.registry.versions import Registry

VOCABULARY = 30_522
IS_SMALL = "BENCH_SMALL" in os.environ  # only to see that the benchmarks run


def sentences(number: int, *, seed: int) -> list[str]:
    """Queries as people ask them, all different: 8 to 30 tokens."""
    found = dict.fromkeys(sentence.query for sentence in generate(8 * number, seed=seed) if sentence.focus)
    return list(found)[:number]


def tokenizer() -> Tokenizer:
    """A lower-casing WordPiece tokenizer with as many entries as BERT's, the corpus's words among them."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = (sentence.text.lower().replace(".", " ") for sentence in generate(20_000, seed=0))
    words = sorted({word for text in texts for word in text.split() if word.isalpha()})
    entries = [*BERT_TOKENS.names, *".,!?'-", *letters, *(f"##{letter}" for letter in letters), *words]
    entries = list(dict.fromkeys(entries))
    entries += [f"word{chr(97 + n % 26)}{n}" for n in range(VOCABULARY - len(entries))]
    return word_piece(entries)


def distilbert(seed: int = 0) -> MaskedLm:
    """6 layers of 768, 30,522 entries: 67 M parameters."""
    torch.manual_seed(seed)
    sizes = {"dim": 64, "hidden_dim": 128, "n_layers": 2, "n_heads": 2} if IS_SMALL else {}
    model = DistilBertForMaskedLM(DistilBertConfig(vocab_size=VOCABULARY, **sizes))
    return MaskedLm(model, tokenizer(), base="sized").eval()


def registry_of(folder: Path, *, precision: str, versions: int = 1) -> Registry:
    """A home's registry with such versions, the first the champion.

    Random weights agree with nothing, so `precision` is what is asked for, not what the gate would choose.
    """
    registry = Registry(folder / "models")
    for seed in range(versions):
        model = distilbert(seed)
        with registry.draft() as draft:
            ops = Int8Ops(calibrate(model)) if precision == "int8" else None
            model.save(draft.folder)
            export(model, draft.folder / GRAPH, ops=ops)
            ids = vocabulary.offered_ids(Words(model.tokenizer))
            agreed = QuantizationCheck(0, 0.0, 0.0, ()).to_json() if precision == "int8" else None
            vocabulary.write(draft.folder, ids, max_tokens=512, precision=precision, agreement=agreed)
            registry.commit(
                draft, make_card(draft, kind="base", base="sized", settings={}, precision=precision)
            )
        if seed == 0:
            registry.set_domain(draft.version)
            registry.promote(draft.version)
    return registry


def weight_bytes(folder: Path) -> int:
    """Bytes that one query reads: all weights but the embedding tables, of which it reads a few rows."""
    import onnx
    from onnx import numpy_helper

    tables = {"words", "words.half", "positions"}
    graph = onnx.load(str(folder / GRAPH)).graph
    is_tied = any("words" in node.input and node.op_type == "Gemm" for node in graph.node)
    return sum(
        numpy_helper.to_array(each).nbytes
        for each in graph.initializer
        if each.name not in tables or (each.name == "words" and is_tied)
    )
