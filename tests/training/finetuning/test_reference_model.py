"""The model in training and its reference share the frozen layers."""

import copy
from pathlib import Path

import pytest
import torch
from support.families import family
from support.tiny import tiny_tokenizer

from training.finetuning.batches import query_batch
from training.finetuning.reference_model import with_reference
from training.inference.encoder import Encoder
from training.models import torch_model
from training.models.torch_model import MaskedLm


@pytest.fixture(params=["distilbert", "untied", "mpnet"])
def masked_lm(request: pytest.FixtureRequest, distilbert_folder: Path) -> MaskedLm:
    """A packed model, one whose output projection is not the word embeddings, and one that runs whole."""
    if request.param == "distilbert":
        return torch_model.load(distilbert_folder)
    tokenizer = tiny_tokenizer()
    settings = {"pad_token_id": tokenizer.token_to_id("[PAD]"), "num_hidden_layers": 2}
    kind = "bert" if request.param == "untied" else request.param
    model = family(kind, tie_word_embeddings=kind != "bert", **settings)
    return MaskedLm(model, tokenizer, base=kind)


@pytest.mark.parametrize("frozen_share", [0.0, 0.5])
def test_both_give_the_logits_of_the_whole_model(masked_lm: MaskedLm, frozen_share: float) -> None:
    masked_lm.eval()
    encoder = Encoder(masked_lm.tokenizer, max_tokens=48)
    queries = [
        encoder.encode(text) for text in ("Nike shoes are very [MASK].", "They are [MASK] and [MASK].")
    ]
    batch = query_batch(queries, encoder.pad)
    expected = masked_lm(batch.input_ids, batch.attention_mask, batch.mask_at)
    paired = with_reference(masked_lm, frozen_share=frozen_share)
    for logits in paired(batch.input_ids, batch.attention_mask, batch.mask_at):
        assert torch.allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("frozen_share", [0.0, 0.5])
def test_only_the_upper_layers_are_trained_and_the_reference_stays(
    masked_lm: MaskedLm, frozen_share: float
) -> None:
    encoder = Encoder(masked_lm.tokenizer, max_tokens=48)
    batch = query_batch([encoder.encode("Nike shoes are very [MASK].")], encoder.pad)
    start = copy.deepcopy(masked_lm.state_dict())
    paired = with_reference(masked_lm, frozen_share=frozen_share)
    before = paired(batch.input_ids, batch.attention_mask, batch.mask_at)[1]
    trained = [p for p in masked_lm.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=0.1)
    paired(batch.input_ids, batch.attention_mask, batch.mask_at)[0].logsumexp(dim=-1).sum().backward()
    optimiser.step()
    assert torch.equal(paired(batch.input_ids, batch.attention_mask, batch.mask_at)[1], before)
    moved = {name for name, value in masked_lm.state_dict().items() if not torch.equal(value, start[name])}
    lowest = ("embeddings", "layer.0.", "decoder.weight")
    assert any(part in name for name in moved for part in lowest) == (frozen_share == 0)
    assert any("layer.1." in name for name in moved)
