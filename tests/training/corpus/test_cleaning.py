"""What cleaning keeps of a cell, and where sentences end."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpus import sentences
from training.corpus.cleaning import Block, clean_text, duplicate_key, repair_mojibake, split_blocks
from training.corpus.sentences import end_with_period, rejection_reason, split_sentences


def texts(cell: str) -> list[str]:
    return [block.text for block in split_blocks(cell)]


# Cells


def test_plain_text_is_one_block_and_keeps_its_punctuation_and_digits() -> None:
    text = "Size 10.5, isn't it? 100% great (really) – “wow”!"
    assert split_blocks(text) == [Block(text)]


def test_an_empty_cell_has_no_blocks() -> None:
    assert [split_blocks(cell) for cell in ("", "  \n ", "<p> </p>", "&nbsp;", "\u200b")] == [[]] * 5


def test_block_tags_end_blocks_and_inline_tags_do_not() -> None:
    cell = "<div><p>Soft <b>knit</b>ted upper.</p><br/>One<br>Two<span>ty</span></div>"
    assert texts(cell) == ["Soft knitted upper.", "One", "Twoty"]


def test_list_items_and_headings_are_not_prose() -> None:
    cell = (
        '<p><b class="x">Benefits</b></p><p>It fits.</p>'
        "<ul><li>Two <i>side</i> pockets</li><li>Knit</li></ul>"
    )
    assert split_blocks(cell) == [
        Block("Benefits", is_prose=False),
        Block("It fits."),
        Block("Two side pockets", is_prose=False),
        Block("Knit", is_prose=False),
    ]


def test_scripts_styles_and_comments_are_not_text() -> None:
    cell = "<p>Seen</p><script>var a = '<p>no</p>';</script><style>p {}</style><!-- <p>no</p> --><p>too</p>"
    assert texts(cell) == ["Seen", "too"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("R&amp;B &eacute;t&#233; &quot;x&quot;", 'R&B été "x"'),
        ("Black&nbsp;and\u00a0white", "Black and white"),
        ("5 &lt; 6", "5 < 6"),
        ("I <3 these, sizes <10 and >12", "I <3 these, sizes <10 and >12"),
        ("a<b but c>d", "a<b but c>d"),
        ("&unknown; stays & so does this", "&unknown; stays & so does this"),
    ],
)
def test_entities_are_decoded_and_text_that_is_not_a_tag_stays(cell: str, expected: str) -> None:
    assert texts(cell) == [expected]


def test_escaped_html_is_html() -> None:
    assert texts("&lt;p&gt;One&lt;/p&gt;&lt;p&gt;Two&lt;/p&gt;") == ["One", "Two"]
    assert texts("<div>&lt;p&gt;One&lt;/p&gt;&lt;p&gt;Two&lt;/p&gt;</div>") == ["One", "Two"]


def test_a_tag_that_is_cut_off_disappears() -> None:
    assert texts('<p>Whole.</p><p class="cut') == ["Whole."]


def test_a_paragraph_of_plain_text_ends_at_an_empty_line_and_a_line_before_a_capital() -> None:
    cell = "Cheap clothes made by \ncheap labour\r\nI will not\n\nbuy\n- one thing\n• another"
    assert split_blocks(cell) == [
        Block("Cheap clothes made by cheap labour"),
        Block("I will not"),
        Block("buy"),
        Block("one thing", is_prose=False),
        Block("another", is_prose=False),
    ]


@pytest.mark.parametrize(
    ("broken", "right"),
    [
        ("Itâ€™s", "It’s"),
        ("â€œniceâ€\x9d", "“nice”"),
        ("â€œniceâ€ shoes", "“nice” shoes"),
        ("cafÃ© for Â£20", "café for £20"),
        ("good ðŸ‘\x8d", "good 👍"),
        ("ItÃ¢â‚¬â„¢s", "It’s"),
    ],
)
def test_mojibake_is_repaired(broken: str, right: str) -> None:
    assert repair_mojibake(broken) == right


@pytest.mark.parametrize(
    "text", ["CAFÉ®", "POKÉ™", "Ângela", "São Paulo", "naïve – “ok”", "ð€€€", "Âge d'or"]
)
def test_accents_are_not_taken_for_mojibake(text: str) -> None:
    assert clean_text(text) == text


def test_invisible_and_control_characters_go_and_accents_are_composed() -> None:
    assert clean_text("so\u00adft\u200b  \x00 cafe\u0301\ufeff\t!") == "soft café !"


def test_texts_that_say_the_same_share_a_key() -> None:
    assert duplicate_key("Don’t  BUY these!!") == duplicate_key("don't buy these.")
    assert duplicate_key("Size 10 fits.") != duplicate_key("Size 11 fits.")


@given(st.text(alphabet=st.sampled_from("ab <>/&;!-pb.lti\n#x3\"='Ââ€™")))
def test_no_cell_breaks_the_cleaning(cell: str) -> None:
    for block in split_blocks(cell):
        assert block.text == " ".join(block.text.split()) != ""


@pytest.mark.parametrize(
    "cell",
    [
        "<a " * 40_000 + "<p>",
        "<p>" + "</" * 30_000,
        "<p" + " a" * 60_000 + ">",
        "<!--" * 30_000 + "<p>",
        "<p>" + "&" * 120_000,
        "\n \n" * 40_000,
        "." * 120_000,
        "a." * 60_000,
        "a. " * 40_000,
        "x" * 120_000,
    ],
    ids=range(10),
)
def test_a_cell_of_the_greatest_length_takes_no_longer_than_its_length(cell: str) -> None:
    began = time.perf_counter()
    for block in split_blocks(cell):
        for sentence in split_sentences(block.text):
            rejection_reason(sentence)
    assert time.perf_counter() - began < 5  # seconds; quadratic ones take minutes


# Sentences


@pytest.mark.parametrize(
    "text",
    [
        "Great shoes.|Will buy again!|Would you?|Yes.",
        "They have Dri-FIT.|It works.",
        "Size 10.5 costs $1,299.99 at nike.com today.",
        "I wear a 9.5.|Definitely go up.",
        "The U.S. Academy Pro top came from the U.S.|It fits.",
        "The Nike React A.I.R. Cody Hudson shoe.",
        "The founder Matthew M. Williams made it.",
        "R. A. Smith came.",
        "So do I.|Then I left.",
        "Mr. Smith and Dr. Jones from St. Louis came.",
        "Ask e.g. Nike, i.e. Phil, or approx. Anyone.",
        "On Dec. 22 it was No. 1.|Now it is No. 2.",
        "It was 5 p.m. and raining.|At 6 p.m. we left.",
        "Foot Locker Inc. was fast.|Shoes, bags, etc. came.|Shoes, bags, etc.|All good.",
        "Wait... what?|Okay…|I see.|Hm...|They came.",
        "They said okay…|Then nothing.",
        'It spells "Just Do It." in perforations.',
        '"Really?" she asked.|"Yes."|He left.',
        "(A great shoe.)|Yes it is.",
        "The best.|shoes are great.",
        "1. Open the box.|2. Close it.",
        "The Nike Fly.By Mid is here.",
        "Nice !|Very nice !!|ok",
        "Wow?!?|ok",
        "no end",
    ],
)
def test_sentences_end_where_a_reader_would_say(text: str) -> None:
    expected = text.split("|")
    assert split_sentences(" ".join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Too small.Very comfortable", ["Too small.", "Very comfortable"]),
        ("They ripped.I called", ["They ripped.", "I called"]),
        ("Hey Nike!!Delivery is late!!no shoes", ["Hey Nike!!", "Delivery is late!!", "no shoes"]),
        ("A size 7.NIKE DO NOT STOP", ["A size 7.", "NIKE DO NOT STOP"]),
        ("JUST WOW.I WOULD ADVISE", ["JUST WOW.", "I WOULD ADVISE"]),
        ("Visit Nike.com and www.nike.Com/A?b=C now", ["Visit Nike.com and www.nike.Com/A?b=C now"]),
        ("See https://x.y/z?a=b!c", ["See https://x.y/z?a=b!c"]),
        ("Version 2.0X and S.D. cards", ["Version 2.0X and S.D. cards"]),
        ("order...um, nope", ["order...um, nope"]),
    ],
)
def test_a_missing_space_hides_no_end(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


def test_marks_that_no_sentence_begins_with_are_left_out() -> None:
    assert split_sentences("Great! , value. ) .. for money") == ["Great!", "value.", "for money"]


@given(st.text(alphabet=st.sampled_from("aB1 .!?…\"')(,")))
def test_splitting_loses_no_word(text: str) -> None:
    text = " ".join(text.split())
    assert "".join(c for s in split_sentences(text) for c in s if c.isalnum()) == "".join(
        c for c in text if c.isalnum()
    )


@pytest.mark.parametrize(
    ("sentence", "finished"),
    [
        ("They fit", "They fit."),
        ("They fit.", "They fit."),
        ("They fit!", "They fit!"),
        ("They fit…", "They fit…"),
        ("They fit (well)", "They fit (well)."),
        ('They "fit."', 'They "fit."'),
        ("Sure 100%", "Sure 100%."),
        ("Love it 💕", "Love it 💕"),
        ("Love it :)", "Love it :)"),
    ],
)
def test_prose_gets_a_period_only_where_it_ends_in_a_word(sentence: str, finished: str) -> None:
    assert end_with_period(sentence) == finished


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Great shoes.", None),
        ("I walk 20000 steps, or 10000+, on 26/03/2024.", None),
        ("It runs 8,000-10,000 steps a day wowwww.....", None),
        ("Great.", sentences.SHORT),
        ("100% cotton", sentences.SHORT),
        ("10/10 👍", sentences.NO_LETTERS),
        ("word " * 81, sentences.LONG),
        ("x" * 601, sentences.LONG),
        ("Write to jo@example.com now.", sentences.PRIVATE),
        ("See https://example.com now.", sentences.PRIVATE),
        ("Thanks to @jo_smith for that.", sentences.PRIVATE),
        ("Call +44 (0)20 7946 0018 now.", sentences.PRIVATE),
        ("My order C00182993485 is late.", sentences.PRIVATE),
        ("It\ufffds great stuff.", sentences.UNREADABLE),
    ],
)
def test_a_sentence_that_is_not_fit_has_a_reason(sentence: str, reason: str | None) -> None:
    assert rejection_reason(sentence) == reason
