"""The exported model answers as transformers' own does, whatever the batch."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline

from training.errors import CorruptVersionError, QueryTooLongError
from training.inference import fill_model as fill_module
from training.inference.fill_model import FillModel

KINDS = ("distilbert", "bert")
QUERIES = [
    "Nike shoes are very [MASK].",
    "[MASK].",
    "The [MASK] boots are [MASK] and [MASK] for my team!",
    "these socks are not [MASK] but [MASK], and that was too late for the refund of the order in the store.",
    "I [MASK] it?",
]


def their_log_probabilities(folder: Path, query: str) -> np.ndarray:
    """From transformers alone: (masks, vocabulary)."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForMaskedLM.from_pretrained(folder)
    ids = tokenizer(query, return_tensors="pt")
    with torch.no_grad():
        logits = model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).logits[0]
    at_masks = logits[ids["input_ids"][0] == tokenizer.mask_token_id]
    return torch.log_softmax(at_masks, dim=-1).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_transformers_in_one_padded_batch(
    kind: str, fill_models: dict[str, FillModel], base_folders: dict[str, Path]
) -> None:
    fill_model = fill_models[kind]
    ours = fill_model.log_probabilities([fill_model.encoder.encode(query) for query in QUERIES])
    for query, logs in zip(QUERIES, ours, strict=True):
        theirs = their_log_probabilities(base_folders[kind], query)
        assert logs.shape == theirs.shape
        assert np.abs(logs - theirs).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_words_are_those_of_the_fill_mask_pipeline(
    kind: str, fill_models: dict[str, FillModel], base_folders: dict[str, Path]
) -> None:
    fill_model, folder = fill_models[kind], base_folders[kind]
    ask = pipeline("fill-mask", model=str(folder), tokenizer=str(folder), device="cpu")
    offered = {fill_model.word_of(int(token)) for token in fill_model.offered}
    theirs = [
        row for row in ask(QUERIES[0], top_k=fill_model.encoder.words.size) if row["token_str"] in offered
    ]
    (ours,) = fill_model.fill([QUERIES[0]], top=10)[0]
    assert [c.word for c in ours] == [row["token_str"] for row in theirs[:10]]
    assert [c.token for c in ours] == [row["token"] for row in theirs[:10]]
    assert [c.score for c in ours] == pytest.approx([row["score"] for row in theirs[:10]], abs=1e-5)


def test_a_batch_answers_as_each_query_alone(fill_model: FillModel) -> None:
    queries = QUERIES * 30  # more tokens and masks than one forward takes
    together = fill_model.fill(queries, top=3)
    alone = [fill_model.fill([query], top=3)[0] for query in QUERIES] * 30
    for ours, theirs in zip(together, alone, strict=True):
        for mask, same in zip(ours, theirs, strict=True):
            assert [c.word for c in mask] == [c.word for c in same]
            assert [c.score for c in mask] == pytest.approx([c.score for c in same], abs=1e-5)


def test_batches_keep_within_tokens_and_masks(fill_model: FillModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill_module, "MAX_BATCH_TOKENS", 60)
    monkeypatch.setattr(fill_module, "MAX_BATCH_MASKS", 4)
    encoded = [fill_model.encoder.encode(query) for query in [*QUERIES, "No mask at all."] * 3]
    batches = fill_model._batches(encoded)
    assert sorted(i for batch in batches for i in batch) == [i for i, e in enumerate(encoded) if e.masks]
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(len(encoded[i].ids) for i in batch) <= 60
        assert len(batch) == 1 or sum(len(encoded[i].masks) for i in batch) <= 4


def test_nothing_asked_nothing_answered(fill_model: FillModel) -> None:
    assert fill_model.fill([], top=5) == []
    assert fill_model.fill(["No mask at all."], top=5) == [[]]


def test_only_words_are_offered_best_first(fill_model: FillModel) -> None:
    (mask,) = fill_model.fill(["Nike shoes are very [MASK]."], top=1000)[0]
    words = [c.word for c in mask]
    assert len(words) == len(fill_model.offered) == len(set(words))
    assert not {"##s", ".", "7", "42", "3d", "e", "[unused0]", "[MASK]", "'"} & set(words)
    assert {"a", "i", "cheap", "run", "wash"} <= set(words)
    scores = [c.score for c in mask]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) < 1.0  # the rest is what cannot be offered


def test_ties_go_to_the_lower_token(fill_model: FillModel) -> None:
    row = np.full(fill_model.encoder.words.size, -5.0, dtype=np.float32)
    winner = int(fill_model.offered[40])
    row[winner] = -1.0
    first = [int(token) for token in fill_model.offered[:4]]
    assert fill_model.best(row, 5) == [winner, *first]
    assert fill_model.best(row, 1) == [winner]


def test_a_word_is_found_as_written_or_in_lower_case(fill_model: FillModel) -> None:
    cheap = fill_model.token_of("cheap")
    assert cheap is not None
    assert fill_model.word_of(cheap) == "cheap"
    assert fill_model.token_of("Cheap") == cheap
    for unsayable in ("##s", "[MASK]", ".", "washable", "unheard-of", ""):
        assert fill_model.token_of(unsayable) is None


def test_a_query_that_is_too_long(fill_model: FillModel) -> None:
    with pytest.raises(QueryTooLongError, match="reads at most 48"):
        fill_model.fill(["shoes " * 60 + "[MASK]"], top=1)


@pytest.fixture
def copy(served_folders: dict[str, Path], tmp_path: Path) -> Path:
    """A folder of a version, to be spoilt."""
    return Path(shutil.copytree(served_folders["distilbert"], tmp_path / "v0009"))


def test_a_folder_names_its_version(copy: Path) -> None:
    assert FillModel(copy).version == "v0009"
    assert FillModel(copy, version="v0012").version == "v0012"


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "vocabulary.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "garbage"])
def test_a_damaged_file_is_named_as_such(copy: Path, name: str, damage: str) -> None:
    path = copy / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:50] if damage == "truncated" else b"\x00garbage")
    with pytest.raises(CorruptVersionError, match="v0009 is damaged: it cannot be loaded"):
        FillModel(copy)


@pytest.mark.parametrize("offered", [[], [99_999], [-1]])
def test_a_vocabulary_that_fits_no_tokenizer(copy: Path, offered: list[int]) -> None:
    path = copy / "vocabulary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "offered": offered}))
    with pytest.raises(CorruptVersionError):
        FillModel(copy)
