"""Each kind of tokenizer: its special tokens, the forms of its words, and texts with masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tokenizer_kinds import KINDS, UNCASED, tokenizer_folder
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from training.inference import vocabulary
from training.inference.encoder import MASK, Encoder
from training.inference.words import EXCLUDED, Slot, SpecialTokens, Words

CASED = [kind for kind in KINDS if kind not in UNCASED]
UNCHANGED = ["roberta", "modernbert", "mmbert"]
SENTENCE_PIECE = ["xlm-roberta", "camembert"]
TEXTS = (
    "Nike shoes are very [MASK].",
    "[MASK] shoes are great.",
    "The price is [MASK]",
    "[MASK] and [MASK], but not [MASK]!",
    'It\'s a ([MASK]) shoe, not "[MASK]".',
    "L'[MASK] est chère.",
    "Die Schuhe sind schön [MASK], für den Sommer zu groß.",
    "I love them 😀 so [MASK] 🎉!",
    "[MASK] [MASK] [MASK]",
    "<mask> is [MASK], </s> is not.",
)


def real(kind: str) -> PreTrainedTokenizerFast:
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(tokenizer_folder(kind))
    return tokenizer


def encoder(kind: str) -> Encoder:
    tokenizer = real(kind)
    return Encoder(tokenizer.backend_tokenizer, max_tokens=99, special=SpecialTokens.of(tokenizer))


def names(words: Words, ids: list[int]) -> list[str]:
    return [words.tokens[token] for token in ids]


@pytest.mark.parametrize("kind", ["bert", "bert-cased", *UNCHANGED])
@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_those_of_transformers_for_the_models_own_mask(kind: str, text: str) -> None:
    ours, theirs = encoder(kind), real(kind)
    if theirs.mask_token != MASK and "<mask>" in text:
        pytest.skip("what people type is plain text, and to transformers it is the mask")
    text = text if text[-1] in ".!?" else f"{text}."
    asked = text.replace(MASK, str(theirs.mask_token)).replace("</s>", "< /s>")
    assert list(ours.encode(text.replace("</s>", "< /s>")).ids) == theirs(asked)["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("word", ["comfortable", "and"])
@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_those_of_the_filled_sentence_with_the_word_hidden(kind: str, word: str, text: str) -> None:
    if text.startswith(MASK) or "</s>" in text:
        return  # the first word is spelled otherwise
    ours = encoder(kind)
    query = ours.encode(text)
    text = text if text[-1] in ".!?" else f"{text}."
    filled = ours.encode_text(text.replace(MASK, word), 99)
    if len(filled) != len(query.ids):
        pytest.skip("the word is several pieces here")
    for mask, slot in zip(query.masks, query.slots, strict=True):
        token = ours.words.token(word)
        assert token is not None
        assert filled[mask] == ours.words.form(token, slot)
        filled[mask] = ours.mask
    assert filled == list(query.ids)


pieces = st.lists(
    st.sampled_from(
        [MASK, " ", " ", "shoes", "schön", "l'", "(", ")", '"', "😀", "-", ".", "good", "é", "x"]
    ),
    min_size=1,
    max_size=12,
).map("".join)


@pytest.mark.parametrize("kind", ["bert-cased", *UNCHANGED])
@settings(max_examples=60, deadline=None)
@given(text=pieces)
def test_any_text_is_read_as_transformers_reads_it(kind: str, text: str) -> None:
    ours, theirs = _cached(kind)
    text = " ".join(text.split()) + "."
    assert list(ours.encode(text).ids) == theirs(text.replace(MASK, str(theirs.mask_token)))["input_ids"]


_pairs: dict[str, tuple[Encoder, PreTrainedTokenizerFast]] = {}


def _cached(kind: str) -> tuple[Encoder, PreTrainedTokenizerFast]:
    return _pairs.setdefault(kind, (encoder(kind), real(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_models_own_mask_is_plain_text_in_what_people_write(kind: str) -> None:
    ours = encoder(kind)
    assert ours.encode("<mask> and <|mask|> are [MASK].").ids.count(ours.mask) == 1
    assert ours.mask not in ours.encode_text(f"a {real(kind).mask_token} is", 99)


@pytest.mark.parametrize("kind", SENTENCE_PIECE)
@pytest.mark.parametrize("after", [".", "!", ")", "-", '"'])
def test_a_sign_after_a_mask_gets_no_space(kind: str, after: str) -> None:
    ours = encoder(kind)
    query = ours.encode(f"so [MASK]{after} x.")
    assert ours.words.tokens[query.ids[query.masks[0] + 1]] == after


@pytest.mark.parametrize("kind", KINDS)
def test_slots_say_what_comes_before_a_mask(kind: str) -> None:
    query = encoder(kind).encode("[MASK] is ([MASK]) l'[MASK] very [MASK]")
    assert query.slots == (Slot.FIRST, Slot.JOINED, Slot.JOINED, Slot.SPACED)


@pytest.mark.parametrize("kind", CASED)
def test_the_cases_of_a_word_are_its_forms(kind: str) -> None:
    words = encoder(kind).words
    token = words.token("COMFortable")
    assert token is not None
    assert words.text(token) == "comfortable"
    assert {words.text(form) for form in words.forms(token)} == {"comfortable", "Comfortable", "COMFORTABLE"}
    assert {words.canonical(form) for form in words.forms(token)} == {token}


@pytest.mark.parametrize("kind", CASED)
@pytest.mark.parametrize("word", ["Schuhe", "Nike", "Preis"])
def test_a_word_that_is_written_with_a_capital_keeps_it(kind: str, word: str) -> None:
    words = encoder(kind).words
    token = words.token(word.lower())
    if token is None:
        pytest.skip("several pieces here")
    assert words.text(token) == word


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_offered_is_written_without_marks_and_once(kind: str) -> None:
    words = encoder(kind).words
    offered = [words.text(token) for token in vocabulary.offered_ids(words)]
    assert len(offered) > 300
    assert all(vocabulary.is_word(word) for word in offered)
    assert len({word.lower() for word in offered}) == len(offered)
    assert {"comfortable", "schon" if kind in UNCASED else "schön"} <= set(offered)
    assert not any(sign in word for word in offered for sign in ("Ġ", "▁", "Ã", "##", " "))


@pytest.mark.parametrize("kind", KINDS)
def test_a_denied_word_is_not_offered_in_any_form(kind: str) -> None:
    words = encoder(kind).words
    token = words.token("comfortable")
    assert token is not None
    offered = vocabulary.offered_ids(words, denied=["COMFORTABLE"])
    assert offered
    assert not set(words.forms(token)) & set(offered)


def test_an_uncased_vocabulary_needs_no_folding() -> None:
    assert encoder("bert").words.folds is None


@pytest.mark.parametrize("kind", CASED)
@pytest.mark.parametrize("slot", Slot)
def test_folding_adds_up_the_forms_that_fit(kind: str, slot: Slot) -> None:
    words = encoder(kind).words
    assert words.folds is not None
    rows = np.log(np.random.default_rng(0).dirichlet(np.ones(words.size), 2)).astype(np.float32)
    before = np.exp(rows)
    words.folds[slot].apply(rows)
    for token in vocabulary.offered_ids(words):
        fitting = [form for form in words.forms(token) if _fits(words, form, slot)]
        if fitting:
            np.testing.assert_allclose(np.exp(rows[:, token]), before[:, fitting].sum(axis=1), rtol=1e-4)
        else:
            assert (rows[:, token] == EXCLUDED).all()
    assert (np.exp(rows).sum(axis=1) <= 1.0001).all()


def _fits(words: Words, form: int, slot: Slot) -> bool:
    has_space = words.tokens[form].startswith(words.marks.space)
    return not words.marks.space or slot is Slot.FIRST or has_space == (slot is Slot.SPACED)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_continue_the_word_before(kind: str) -> None:
    ours = encoder(kind)
    ids = np.array([ours.encode_text("Unwashable, (comfortable) shoes aren't overlockstitched!", 99)])
    starts = np.flatnonzero(~ours.words.continues(ids)[0])
    texts = [
        "".join(ours.words.text(int(token)).removeprefix("##") for token in part)
        for part in np.split(ids[0], starts)[2:-1]
    ]
    joined = [text for text in texts if text.isalpha()]
    assert {"comfortable", "shoes", "overlockstitched"} <= set(joined)
    assert "," in texts


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_spaces_are_the_same_for_every_kind(kind: str) -> None:
    ours = encoder(kind)
    text = "Good shoes, (overlockstitched) aren't so overpriced."
    assert len(ours.words_of(text)[1]) == len(text.split())


@pytest.mark.parametrize("kind", CASED)
def test_new_words_keep_the_spelling_of_the_texts(kind: str) -> None:
    texts = ["The Overlockstitch is blickdicht.", "Blickdicht: a good Overlockstitch", "nike Nike NIKE"] * 2
    found = vocabulary.new_words(encoder(kind), texts, ["comfortable", "stylishly"], min_count=2)
    assert {"Overlockstitch", "blickdicht", "stylishly"} <= set(found)
    assert not {"nike", "Nike", "comfortable"} & set(found)


def test_what_a_tokenizer_lacks_is_named() -> None:
    tokenizer = real("roberta").backend_tokenizer
    assert SpecialTokens().missing_from(tokenizer) == ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"]
    assert SpecialTokens("<s>", "</s>", "<pad>", None, "").missing_from(tokenizer) == ["mask"]
