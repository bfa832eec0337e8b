"""Packed batches: where each token goes, and that the layers compute what transformers' do."""

import pytest
import torch
from support.tiny import tiny_tokenizer

from training.finetuning.batches import joined, query_batch
from training.inference.encoder import Encoder
from training.models.packed import Packing
from training.models.torch_model import MaskedLm

TEXTS = ("Nike shoes are very [MASK].", "They are [MASK] and [MASK].", "It is [MASK].")


def test_rows_are_packed_by_length() -> None:
    ids = torch.tensor([[5, 6, 7, 8], [9, 0, 0, 0], [1, 2, 0, 0], [3, 4, 0, 0]])
    packing = Packing.of(ids, (ids > 0).long(), torch.tensor([2, 9, 13]))
    assert ids.flatten()[packing.tokens].tolist() == [9, 1, 2, 3, 4, 5, 6, 7, 8]
    assert packing.columns.tolist() == [0, 0, 1, 0, 1, 0, 1, 2, 3]
    assert packing.groups == ((1, 1), (2, 2), (1, 4))
    assert ids.flatten()[packing.tokens][packing.mask_at].tolist() == [7, 2, 4]


def test_a_batch_without_padding_is_one_group() -> None:
    packing = Packing.of(torch.ones(3, 2, dtype=torch.int64), None, torch.tensor([5]))
    assert packing.groups == ((3, 2),)
    assert packing.tokens.tolist() == list(range(6))


@pytest.mark.parametrize("split", [False, True])
def test_joined_batches_keep_the_order_of_rows_and_masks(*, split: bool) -> None:
    encoder = Encoder(tiny_tokenizer(), max_tokens=48)
    queries = [encoder.encode(text) for text in TEXTS]
    parts = [queries[:1], queries[1:]] if split else [queries]
    whole, expected = (
        joined([query_batch(q, encoder.pad) for q in parts], encoder.pad),
        query_batch(queries, encoder.pad),
    )
    assert torch.equal(whole.input_ids, expected.input_ids)
    assert torch.equal(whole.mask_at, expected.mask_at)
    assert whole.attention_mask is not None
    assert expected.attention_mask is not None
    assert torch.equal(whole.attention_mask, expected.attention_mask)


def test_layers_compute_what_the_layers_of_transformers_do(masked_lm: MaskedLm) -> None:
    masked_lm.eval()
    encoder = masked_lm.encoder
    batch = query_batch([encoder.encode(text) for text in TEXTS], encoder.pad)
    with torch.no_grad():
        expected = masked_lm(batch.input_ids, batch.attention_mask, batch.mask_at)
        packing = Packing.of(batch.input_ids, batch.attention_mask, batch.mask_at)
        hidden = masked_lm.architecture.packed_embeddings(batch.input_ids, packing)
        layers = masked_lm.architecture.packed_layers
        for number, layer in enumerate(layers):
            hidden = layer(hidden, packing, at_masks=number == len(layers) - 1)
        logits = masked_lm.architecture.head(hidden)
    assert torch.allclose(logits, expected, atol=1e-5)
