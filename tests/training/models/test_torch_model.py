"""Base → torch model: what is loaded, what is refused, and that the forward is transformers' own."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny import tiny_distilbert, tiny_tokenizer
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM, AutoTokenizer

from training.errors import BaseModelError, DeviceError
from training.models import torch_model
from training.models.torch_model import MaskedLm


@pytest.fixture
def base(distilbert_folder: Path, tmp_path: Path) -> Path:
    """A copy of a base's folder, to be spoilt."""
    return Path(shutil.copytree(distilbert_folder, tmp_path / "base"))


@pytest.mark.parametrize("kind", ["distilbert", "bert"])
def test_the_forward_is_that_of_transformers_at_the_masks(kind: str, base_folders: dict[str, Path]) -> None:
    ours = torch_model.load(base_folders[kind]).eval()
    theirs = AutoModelForMaskedLM.from_pretrained(base_folders[kind])
    ids = torch.tensor([[2, 20, 4, 21, 3], [2, 4, 3, 0, 0]])
    attention = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    with torch.no_grad():
        logits = ours(ids, attention, torch.tensor([2, 6]))
        expected = theirs(input_ids=ids, attention_mask=attention).logits
        unpadded = ours(ids[:1], None, torch.tensor([2]))
    assert logits.shape == (2, theirs.config.vocab_size)
    assert logits == pytest.approx(torch.stack([expected[0, 2], expected[1, 1]]), abs=1e-5)
    assert unpadded == pytest.approx(logits[:1], abs=1e-5)


@pytest.mark.parametrize("kind", ["distilbert", "bert"])
def test_a_saved_model_is_loaded_by_us_and_by_transformers(
    kind: str, base_folders: dict[str, Path], tmp_path: Path
) -> None:
    first = torch_model.load(base_folders[kind])
    first.save(tmp_path)
    again = torch_model.load(tmp_path)
    assert again.shape == first.shape
    for name, weight in first.architecture.weights().items():
        assert torch.equal(weight, again.architecture.weights()[name])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.mask_token == "[MASK]"
    assert tokenizer("Nike [MASK] washable").input_ids == tiny_tokenizer().encode("Nike [MASK] washable").ids


def test_a_half_precision_base_is_trained_in_single(base: Path) -> None:
    path = base / "model.safetensors"
    save_file(
        {name: weight.half() for name, weight in load_file(path).items()}, path, metadata={"format": "pt"}
    )
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    loaded = torch_model.load(base)
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}


def test_a_tokenizer_without_a_mask_is_refused() -> None:
    content = json.loads(tiny_tokenizer().to_str())
    content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] != "[MASK]"]
    token = content["model"]["vocab"].pop("[MASK]")
    content["model"]["vocab"]["[BLANK]"] = token
    with pytest.raises(BaseModelError, match=r"its tokenizer lacks \[MASK\]"):
        MaskedLm(tiny_distilbert(), Tokenizer.from_str(json.dumps(content)), base="x")


def test_a_tokenizer_that_knows_too_many_tokens_is_refused() -> None:
    with pytest.raises(BaseModelError, match="more tokens than its weights"):
        MaskedLm(tiny_distilbert(vocab_size=50), tiny_tokenizer(), base="x")


def test_pickled_weights_are_not_read(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    (base / "model.safetensors").unlink()
    torch.save(weights, base / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match=r"no \.safetensors file \(pickled weights are not read\)"):
        torch_model.load(base)


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_damaged_weights_are_refused(base: Path, damage: str) -> None:
    path = base / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(
        {"truncated": content[: len(content) // 2], "garbage": b"garbage" * 9, "empty": b""}[damage]
    )
    with pytest.raises(BaseModelError, match="cannot be loaded"):
        torch_model.load(base, base="our-base")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_a_damaged_folder_is_refused(base: Path, name: str, damage: str) -> None:
    if damage == "missing":
        (base / name).unlink()
    else:
        (base / name).write_text("{garbage")
    with pytest.raises(BaseModelError, match="FILLBOT_BASE_MODEL"):
        torch_model.load(base)


@pytest.mark.parametrize("part", ["vocab_transform.weight", "distilbert.transformer.layer.1.ffn.lin1.weight"])
def test_weights_that_are_missing_are_not_made_up(base: Path, part: str) -> None:
    path = base / "model.safetensors"
    save_file({k: v for k, v in load_file(path).items() if k != part}, path, metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match=f"its weights lack {part}"):
        torch_model.load(base)


def test_weights_of_another_size_are_refused(base: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "hidden_dim": 128}))
    with pytest.raises(BaseModelError):
        torch_model.load(base)


def test_code_that_a_base_brings_is_not_run(base: Path) -> None:
    marker = base / "ran"
    (base / "modeling.py").write_text(f"open({str(marker)!r}, 'w')\n")
    config = json.loads((base / "config.json").read_text())
    config = {**config, "model_type": "own", "auto_map": {"AutoModelForMaskedLM": "modeling.Model"}}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(BaseModelError):
        torch_model.load(base)
    assert not marker.exists()


def test_a_gpu_is_used_when_there_is_one_and_asked_for_by_name() -> None:
    assert torch_model.pick_device("cpu") == torch.device("cpu")
    if torch.cuda.is_available():
        assert torch_model.pick_device("auto") == torch_model.pick_device("cuda") == torch.device("cuda")
        return
    assert torch_model.pick_device("auto") == torch.device("cpu")
    with pytest.raises(DeviceError, match="FILLBOT_DEVICE=auto"):
        torch_model.pick_device("cuda")


@pytest.mark.parametrize("kind", ["distilbert", "bert"])
def test_new_words_are_tokens_that_start_as_the_mean_of_their_pieces(
    kind: str, base_folders: dict[str, Path], tmp_path: Path
) -> None:
    before, after = torch_model.load(base_folders[kind]).eval(), torch_model.load(base_folders[kind]).eval()
    after.add_words(["washable", "good-old"])
    pieces = before.tokenizer.encode("washable", add_special_tokens=False).ids
    assert after.tokenizer.encode("so washable!", add_special_tokens=False).tokens == ["so", "washable", "!"]
    assert after.tokenizer.encode("Good-Old", add_special_tokens=False).tokens == ["good-old"]
    assert after.tokenizer.encode("unwashable", add_special_tokens=False).tokens != ["un", "washable"]
    new = after.tokenizer.token_to_id("washable")
    query, at = torch.tensor([[2, 20, 4, 21, 3]]), torch.tensor([2])
    with torch.no_grad():
        theirs, ours = before(query, None, at)[0], after(query, None, at)[0]
    assert len(ours) == len(theirs) + 2
    assert ours[: len(theirs)] == pytest.approx(theirs, abs=1e-5)
    assert float(ours[new]) == pytest.approx(float(theirs[pieces].mean()), abs=1e-5)  # both are linear
    after.save(tmp_path)
    with torch.no_grad():
        again = torch_model.load(tmp_path).eval()(query, None, at)[0]
    assert again == pytest.approx(ours, abs=1e-5)


def test_a_vocabulary_with_spare_rows_grows_only_when_it_must() -> None:
    tokenizer = tiny_tokenizer()
    spare = tiny_distilbert(vocab_size=tokenizer.get_vocab_size() + 1)
    masked_lm = MaskedLm(spare, tokenizer, base="x")
    masked_lm.add_words(["washable"])
    assert masked_lm.model.config.vocab_size == tokenizer.get_vocab_size() + 1
    masked_lm.add_words(["unheard"])
    assert masked_lm.model.config.vocab_size == tokenizer.get_vocab_size() + 2


def test_too_little_memory_is_not_reported_as_a_damaged_base(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise MemoryError

    monkeypatch.setattr("transformers.AutoModelForMaskedLM.from_pretrained", fail)
    with pytest.raises(MemoryError):
        torch_model.load(base)


@pytest.mark.parametrize(
    ("error", "number"),
    [(RuntimeError("No space left on device (os error 28)"), 28), (KeyError("cls.predictions"), None)],
    ids=["a full disk", "a mistake"],
)
def test_only_what_the_system_says_is_said_of_the_folder(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, number: int | None
) -> None:
    loaded = torch_model.load(base)

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(loaded.model, "save_pretrained", fail)
    with pytest.raises(OSError if number else KeyError) as caught:
        loaded.save(tmp_path / "saved")
    assert getattr(caught.value, "errno", None) == number
