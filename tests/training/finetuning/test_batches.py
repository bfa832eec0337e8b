"""Padding, masks, and whole-word masking as in BERT."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from support.tiny import tiny_tokenizer

from training.finetuning.batches import Batch, CorpusBatches, pad_rows, query_batch, shuffled_batches
from training.inference.encoder import Encoder

TEXTS = [
    "nike shoes are very comfortable",
    "washable socks",
    "the boots are not breakable but they are warm and soft",
    "",
    "it was late",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(tiny_tokenizer(), max_tokens=48)


def corpus(encoder: Encoder, texts: list[str] = TEXTS, **changed: object) -> CorpusBatches:
    settings = {"batch_examples": 2, "mask_share": 0.15, "max_tokens": 16, "seed": 0, **changed}
    return CorpusBatches(texts, encoder, **settings)  # type: ignore[arg-type]


def test_rows_are_padded_to_the_longest() -> None:
    ids, attention = pad_rows([[5, 6, 7], [8]], 0)
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert attention.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_masks_of_queries_are_positions_in_the_flattened_batch(encoder: Encoder) -> None:
    queries = [encoder.encode("[MASK] shoes are [MASK]."), encoder.encode("It is so very [MASK], not late.")]
    batch = query_batch(queries, encoder.pad)
    width = batch.input_ids.shape[1]
    assert batch.mask_at.tolist() == [1, 4, width + 5]
    assert (batch.input_ids.flatten()[batch.mask_at] == encoder.mask).all()
    assert batch.attention_mask is not None
    assert batch.tokens == len(queries[0].ids) + len(queries[1].ids)


def test_an_unpadded_batch_has_no_attention_mask(encoder: Encoder) -> None:
    batch = query_batch([encoder.encode("It is [MASK].")] * 2, encoder.pad)
    assert batch.attention_mask is None
    assert batch.tokens == batch.input_ids.numel()


def test_all_tensors_of_a_batch_move(encoder: Encoder) -> None:
    batch = next(iter(corpus(encoder))).to(torch.device("cpu"))
    assert isinstance(batch, Batch)
    assert batch.targets is not None


def test_texts_without_a_word_are_dropped(encoder: Encoder) -> None:
    assert len(corpus(encoder).rows) == 4
    with pytest.raises(ValueError, match="no text"):
        corpus(encoder, ["", "  "])


def test_targets_restore_the_hidden_tokens(encoder: Encoder) -> None:
    batches = corpus(encoder, mask_share=0.5)
    originals = {tuple(row) for row in batches.rows}
    for batch in islice(batches, 50):
        assert batch.targets is not None
        ids = batch.input_ids.clone().flatten()
        ids[batch.mask_at] = batch.targets
        for row in ids.view(batch.input_ids.shape).tolist():
            assert tuple(token for token in row if token != encoder.pad) in originals


def test_special_tokens_and_padding_are_never_hidden(encoder: Encoder) -> None:
    special = {encoder.cls, encoder.sep, encoder.pad}
    for batch in islice(corpus(encoder, mask_share=0.9), 50):
        assert batch.targets is not None
        assert not special & set(batch.targets.tolist())


def test_every_text_has_something_hidden(encoder: Encoder) -> None:
    for batch in islice(corpus(encoder, mask_share=0.01), 50):
        rows = set((batch.mask_at // batch.input_ids.shape[1]).tolist())
        assert rows == set(range(len(batch.input_ids)))


def test_words_are_hidden_whole(encoder: Encoder) -> None:
    pieces = {encoder.words.ids["wash"]: encoder.words.ids["##able"]}
    seen = 0
    for batch in islice(corpus(encoder, ["washable socks are late"] * 8, mask_share=0.3), 100):
        assert batch.targets is not None
        targets = batch.targets.tolist()
        for token, rest in pieces.items():
            assert targets.count(token) == targets.count(rest)
            seen += targets.count(token)
    assert seen > 50


def test_eight_of_ten_hidden_tokens_become_masks(encoder: Encoder) -> None:
    masked = same = total = 0
    for batch in islice(corpus(encoder, mask_share=0.5, batch_examples=4), 500):
        assert batch.targets is not None
        now = batch.input_ids.flatten()[batch.mask_at]
        masked += int((now == encoder.mask).sum())
        same += int((now == batch.targets).sum())
        total += len(now)
    assert masked / total == pytest.approx(0.8, abs=0.03)
    assert same / total == pytest.approx(0.1, abs=0.03)


def test_the_focus_is_hidden_most_of_the_time(encoder: Encoder) -> None:
    text = "nike shoes are very comfortable but they are late and it was not fine"
    start = text.index("comfortable")
    batches = corpus(
        encoder,
        [text] * 4,
        mask_share=0.01,
        batch_examples=4,
        focus=[(start, start + len("comfortable"))] * 4,
    )
    wanted = encoder.words.ids["comfortable"]
    hits = np.mean([wanted in row for batch in islice(batches, 200) for row in _targets_by_row(batch)])
    # Hidden in 70 %, and by chance in a thirteenth of the rest: 0.72.
    assert hits == pytest.approx(0.72, abs=0.05)


def test_the_polarity_is_set_where_the_focus_is_hidden(encoder: Encoder) -> None:
    texts = ["nike shoes are washable", "nike boots are soft", "nike socks are warm"]
    spans = [(15, 23), (15, 19), (15, 19)]
    batches = corpus(encoder, texts, mask_share=0.5, batch_examples=3, focus=spans, polarities=[1, -1, 0])
    expected = {encoder.words.ids["wash"]: 1, encoder.words.ids["##able"]: 1, encoder.words.ids["soft"]: -1}
    for batch in islice(batches, 50):
        assert batch.polarity is not None
        assert batch.targets is not None
        assert batch.polarity.tolist() == [expected.get(token, 0) for token in batch.targets.tolist()]


def _targets_by_row(batch: Batch) -> list[list[int]]:
    assert batch.targets is not None
    rows: list[list[int]] = [[] for _ in batch.input_ids]
    for place, target in zip(batch.mask_at.tolist(), batch.targets.tolist(), strict=True):
        rows[place // batch.input_ids.shape[1]].append(target)
    return rows


def test_a_pass_shows_every_text_once(encoder: Encoder) -> None:
    texts = [f"nike {word}" for word in ("shoes", "boots", "socks", "box", "store")]
    batches = islice(corpus(encoder, texts, mask_share=0.01), 3)
    seen = []
    for batch in batches:
        assert batch.targets is not None
        ids = batch.input_ids.clone().flatten()
        ids[batch.mask_at] = batch.targets
        seen += [tuple(row) for row in ids.view(batch.input_ids.shape).tolist()]
    assert sorted(seen) == sorted(tuple(row) for row in corpus(encoder, texts).rows)


def test_the_same_seed_gives_the_same_batches(encoder: Encoder) -> None:
    first, second, other = (list(islice(corpus(encoder, seed=seed), 20)) for seed in (3, 3, 4))
    assert all(torch.equal(a.input_ids, b.input_ids) for a, b in zip(first, second, strict=True))
    assert not all(
        a.input_ids.shape == b.input_ids.shape and torch.equal(a.input_ids, b.input_ids)
        for a, b in zip(first, other, strict=True)
    )


def test_long_texts_are_cut(encoder: Encoder) -> None:
    batches = corpus(encoder, ["shoes " * 100], max_tokens=12)
    assert [len(row) for row in batches.rows] == [12]


def test_batches_of_no_items_raise_instead_of_hanging() -> None:
    with pytest.raises(ValueError, match="no items"):
        next(shuffled_batches([], 4, seed=0))


def test_words_that_are_seldom_asked_are_seldom_hidden(encoder: Encoder) -> None:
    texts = ["the boots are not breakable but they are warm and soft"] * 50
    hidden: Counter[str] = Counter()
    for batch in islice(
        corpus(encoder, texts, batch_examples=50, mask_share=0.3, seldom=("the", "are", "they")), 20
    ):
        assert batch.targets is not None
        hidden.update(encoder.words.tokens[int(token)] for token in batch.targets)
    assert hidden["the"] + hidden["they"] < 0.3 * (hidden["warm"] + hidden["soft"])
