"""What is written of a version, and what its card says about where it comes from."""

from pathlib import Path

import pytest
import torch
from support.families import family
from support.tiny import tiny_tokenizer

from training.models.torch_model import MaskedLm
from training.models.writing import make_card, write_files
from training.registry.publishing.model_card import is_hub_name
from training.registry.versions import Draft


@pytest.mark.parametrize("base", ["our-base", "models/our-base"])
def test_a_folder_in_the_working_directory_is_not_taken_for_a_hub_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    monkeypatch.chdir(tmp_path)
    draft = Draft("v0001", tmp_path)
    assert make_card(draft, kind="base", base=base, settings={}).base == base
    (tmp_path / base).mkdir(parents=True)
    found = make_card(draft, kind="base", base=base, settings={}).base
    assert found == f"./{base}"
    assert not is_hub_name(found)
    assert make_card(draft, kind="night", base=found, settings={}).base == found  # as every night copies it


def test_a_model_without_a_graph_of_its_own_is_written_and_calibrated(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    ids = {"pad_token_id": tokenizer.token_to_id("[PAD]"), "vocab_size": tokenizer.get_vocab_size()}
    model = MaskedLm(family("albert", **ids), tokenizer, base="x")
    (tmp_path / "v0001").mkdir()
    served = write_files(model, Draft("v0001", tmp_path / "v0001"), shown_words=5)
    assert not served.has_fast_path
    assert served.agreement is not None  # int8 was made and compared
    query = model.encoder.encode("Nike shoes are very [MASK].")
    with torch.no_grad():
        logits = model(torch.tensor([query.ids]), None, torch.tensor(query.masks))
    if served.precision == "fp32":
        assert served.log_probabilities([query])[0] == pytest.approx(logits.log_softmax(-1), abs=1e-4)
