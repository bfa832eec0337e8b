"""What is imported is parsed like questions, merged, bounded, and free of personal data."""

import pytest

from bot.errors import ImportFileError
from bot.imports import judgements
from bot.imports.judgements import Preview, preview_lines, preview_of, read_file
from bot.imports.shapes import Opinion
from storage.votes.sources import ImportedSentence

SHOES = "Nike shoes are very [MASK]."


def preview(*opinions: Opinion) -> Preview:
    return preview_of(opinions, max_chars=400, max_masks=3)


def test_sentences_are_read_like_questions_and_merged() -> None:
    found = preview(
        Opinion("Nike shoes are very ___", "light", True),
        Opinion("nike shoes  are very [MASK].", "ugly", False),
        Opinion(SHOES, "light", True),
    )
    (one,) = found.sentences
    assert set(one.words) == {(0, "light", True), (0, "ugly", False)}
    assert (found.wanted, found.unwanted, found.left_out) == (1, 1, ())


def test_of_several_opinions_the_majority_counts_and_a_tie_is_left_out() -> None:
    found = preview(
        *(Opinion(SHOES, "light", is_wanted) for is_wanted in (True, False, True)),
        *(Opinion(SHOES, "ugly", is_wanted) for is_wanted in (True, False)),
    )
    assert [one.words for one in found.sentences] == [((0, "light", True),)]
    assert found.left_out == (("contradictory", 1),)


def test_a_word_is_one_word_in_any_case_and_spelt_like_those_of_answers() -> None:
    opinions = [Opinion(SHOES, word, True) for word in ("Light", "light", "LIGHT", "adidas")]
    (one,) = preview(*opinions).sentences
    assert one.words == ((0, "light", True), (0, "adidas", True))
    spell = {"adidas": "Adidas"}
    found = preview_of(
        opinions, max_chars=400, max_masks=3, spell=lambda word: spell.get(word.lower(), word.lower())
    )
    assert found.sentences[0].words == ((0, "light", True), (0, "Adidas", True))


@pytest.mark.parametrize(
    ("opinion", "reason"),
    [
        (Opinion("No blank.", "light", True), "no_query"),
        (Opinion(f"{SHOES} Write to ada@example.org.", "light", True), "personal_data"),
        (Opinion(SHOES, "very light", True), "no_word"),
        (Opinion(SHOES, "x" * 51, True), "no_word"),
        (Opinion("[MASK] shoes are [MASK].", "light", True), "which_mask"),
        (Opinion(SHOES, "light", True, 3), "which_mask"),
    ],
)
def test_what_cannot_teach_is_left_out_and_counted(opinion: Opinion, reason: str) -> None:
    assert preview(opinion) == Preview((), ((reason, 1),))


def test_a_mask_may_be_named() -> None:
    (one,) = preview(Opinion("[MASK] shoes are [MASK].", "light", True, 1)).sentences
    assert one.words == ((1, "light", True),)


def test_a_denied_word_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgements, "denied_words", lambda: frozenset({"ugly"}))
    assert preview(Opinion(SHOES, "Ugly", False)).left_out == (("denied", 1),)
    opinions = [Opinion(SHOES, word, True) for word in ("Light", "warm")]
    found = preview_of(opinions, max_chars=400, max_masks=3, denied=["light"])  # by the team
    assert (found.wanted, found.left_out) == (1, (("denied", 1),))


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgements, "MAX_OPINIONS", 2)
    monkeypatch.setattr(judgements, "MAX_BYTES", 200)
    with pytest.raises(ImportFileError, match="more than 2 words"):
        preview(*(Opinion(SHOES, word, True) for word in ("light", "warm", "comfy")))
    with pytest.raises(ImportFileError, match="MB"):
        read_file("a.csv", b"x" * 201, max_chars=400, max_masks=3)
    with pytest.raises(ImportFileError, match=r"nothing to import[\s\S]*too many characters: 1"):
        read_file("a.csv", b"sentence,wanted\nNo blank,light\n", max_chars=400, max_masks=3)


def test_the_preview_says_what_is_imported() -> None:
    found = Preview(
        (ImportedSentence(SHOES, "h", ((0, "light", True), (0, "ugly", False))),), (("denied", 3),)
    )
    said = "\n".join(preview_lines("guide", 2.0, found))
    assert all(part in said for part in ("1 sentence", "guide", "counts 2", "👍 light, 👎 ugly", "denied: 3"))
