"""The same hidden words for every model, and what they cost each."""

import math

import pytest
import torch
from support.tiny import tiny_tokenizer

from training.domain.fixed_masks import HeldOutScore, mask_words, score_held_out
from training.inference.encoder import Encoder
from training.models.torch_model import MaskedLm

CPU = torch.device("cpu")
TEXTS = ["Nike shoes are washable and cheap.", "ice", "…", "The boots broke 7 times: not good!"]


def encoder_of(masked_lm: MaskedLm) -> Encoder:
    return Encoder(masked_lm.tokenizer, max_tokens=48)


def test_a_share_of_the_words_is_hidden_and_at_least_one() -> None:
    encoder = Encoder(tiny_tokenizer(), max_tokens=48)
    hidden = mask_words(TEXTS, encoder, share=0.5, seed=0)
    assert len(hidden) == 3  # one text has no word
    assert [len(set(each.words)) for each in hidden] == [3, 1, 3]
    for each in hidden:
        assert [each.query.ids[place] for place in each.query.masks] == [encoder.mask] * len(each.targets)
        assert encoder.mask not in each.targets


def test_every_piece_of_a_hidden_word_is_hidden() -> None:
    encoder = Encoder(tiny_tokenizer(), max_tokens=48)
    (only,) = mask_words(["washable"], encoder, share=0.1, seed=0)
    assert [encoder.words.tokens[token] for token in only.targets] == ["wash", "##able"]
    assert only.words[0] == only.words[1]


def test_a_model_with_other_tokens_is_asked_for_the_same_words(masked_lm: MaskedLm) -> None:
    before = encoder_of(masked_lm)
    masked_lm.add_words(["washable"])
    after = encoder_of(masked_lm)
    texts = [f"{word} shoes are washable and {word}" for word in ("cheap", "good", "bad", "new", "old")]
    for seed in range(3):
        asked = [
            [len(set(each.words)) for each in mask_words(texts, encoder, share=0.4, seed=seed)]
            for encoder in (before, after)
        ]
        shown = [
            [
                " ".join(encoder.words.tokens[token].removeprefix("##") for token in each.targets)
                for each in mask_words(texts, encoder, share=0.4, seed=seed)
            ]
            for encoder in (before, after)
        ]
        assert asked[0] == asked[1]
        assert [text.replace("wash able", "washable") for text in shown[0]] == shown[1]


def test_the_masks_depend_on_seed_and_text_alone() -> None:
    encoder = Encoder(tiny_tokenizer(), max_tokens=48)
    once = mask_words(TEXTS, encoder, share=0.3, seed=0)
    assert mask_words(TEXTS[::-1], encoder, share=0.3, seed=0) == once[::-1]
    assert mask_words(TEXTS * 9, encoder, share=0.3, seed=1)[:3] != once


def test_a_fit_is_the_mean_over_words(masked_lm: MaskedLm) -> None:
    """Worked out with one forward a text, and the log-probabilities of the pieces of a word added up."""
    encoder = encoder_of(masked_lm)
    hidden = mask_words(TEXTS, encoder, share=0.5, seed=0)
    masked_lm.eval()
    total, right = 0.0, 0
    for each in hidden:
        ids = torch.tensor([each.query.ids])
        with torch.no_grad():
            logs = masked_lm(ids, None, torch.tensor(each.query.masks)).log_softmax(-1)
        total -= sum(float(logs[i, target]) for i, target in enumerate(each.targets))
        for word in set(each.words):
            mine = [i for i, other in enumerate(each.words) if other == word]
            right += all(int(logs[i].argmax()) == each.targets[i] for i in mine)
    fit = score_held_out(masked_lm, hidden, encoder, device=CPU)
    assert fit.words == 7
    assert fit.loss == pytest.approx(total / 7, abs=1e-4)
    assert fit.accuracy == right / 7
    assert fit.to_json()["perplexity"] == pytest.approx(math.exp(fit.loss), rel=1e-3)


def test_a_word_is_right_only_when_all_its_pieces_are(masked_lm: MaskedLm) -> None:
    encoder = encoder_of(masked_lm)
    (only,) = mask_words(["washable"], encoder, share=1.0, seed=0)
    with torch.no_grad():  # it says "wash" everywhere: the first piece is right, the second is not
        masked_lm.model.vocab_projector.bias[encoder.words.ids["wash"]] = 1e4
    assert score_held_out(masked_lm, [only], encoder, device=CPU).accuracy == 0.0
    (only,) = mask_words(["wash"], encoder, share=1.0, seed=0)
    assert score_held_out(masked_lm, [only], encoder, device=CPU).accuracy == 1.0


def test_measuring_leaves_the_mode_as_it_was(masked_lm: MaskedLm) -> None:
    encoder = encoder_of(masked_lm)
    hidden = mask_words(TEXTS, encoder, share=0.5, seed=0)
    for mode in (True, False):
        masked_lm.train(mode)
        score_held_out(masked_lm, hidden, encoder, device=CPU)
        assert masked_lm.training is mode


def test_a_hopeless_loss_has_a_finite_perplexity() -> None:
    assert math.isfinite(HeldOutScore(5000.0, 0.0, 3).to_json()["perplexity"])
