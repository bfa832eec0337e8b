"""What a person typed on Discord, as the sentence that its readers see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.chat_text import plain_sentence
from bot.answering.queries import parse_query

PLAIN = "Nike shoes are very [MASK]"


@pytest.mark.parametrize(
    "typed",
    [
        "Nike shoes are very **[MASK]**",
        "Nike shoes are very *[MASK]*",
        "Nike shoes are very ***[MASK]***",
        "Nike shoes are very _[MASK]_",
        "Nike shoes are very __[MASK]__",
        "Nike shoes are very __*[MASK]*__",
        "Nike shoes are very ~~[MASK]~~",
        "Nike shoes are very ||[MASK]||",
        "Nike shoes are very `[MASK]`",
        "Nike shoes are very ``[MASK]``",
        "`Nike shoes are very [MASK]`",
        "```Nike shoes are very [MASK]```",
        "```\nNike shoes are very [MASK]\n```",
        "```text\nNike shoes are very [MASK]\n```",
        "**Nike** shoes are _very_ **[MASK]**",
        "**Nike shoes are very [MASK]**",
        "> Nike shoes are very [MASK]",
        ">>> Nike shoes are very [MASK]",
        "# Nike shoes are very [MASK]",
        "### Nike shoes are very [MASK]",
        "-# Nike shoes are very [MASK]",
        "- Nike shoes are very [MASK]",
        "* Nike shoes are very [MASK]",
        r"Nike shoes are very \[MASK\]",
        r"Nike shoes are very \*\*[MASK]\*\*",
        "Nike shoes are very <mask>",
        "Nike shoes are very <MASK>",
        "Nike shoes are very <|mask|>",
        "Nike shoes are very [blank]",
        "Nike shoes are very (mask)",
        "Nike shoes are very (blank)",
        "Nike shoes are very {mask}",
        "Nike shoes are very ［MASK］",
        "Nike shoes are very ___",
        "Nike shoes are very __",
        "Nike shoes are very __________",
        r"Nike shoes are very \_\_\_",
        "Nike shoes are very `___`",
        "Nike shoes are very **___**",
        "Nike shoes are very …",
        "Nike shoes are very ...",
        "Nike shoes are very ….",
        "Nike shoes are very…",
        "Nike shoes are very ???",
        "Nike shoes are very [MASK] 🔥",
        "Nike shoes 👟 are very [MASK] 👍🏽👨‍👩‍👧‍👦🇩🇪❤️1️⃣",
        "Nike shoes <:nike:123456789012345678> are very [MASK]",
        "Nike shoes are very [MASK] <a:party:1234567890123456789>",
        "Nike shoes are very [MASK] https://example.com/a?b=1#c",
        "Nike shoes are very [MASK] <https://example.com>",
        "[Nike shoes](https://example.com/shoes) are very [MASK]",
        '[Nike shoes](<https://example.com> "title") are very [MASK]',
        "Nike shoes are very [MASK] www.example.com",
        "  Nike\u00a0shoes\u200b are very\n[mask]\t",
    ],
)
def test_the_question_is_the_same_when_it_is_wrapped(typed: str) -> None:
    queries = [parse_query(text, max_chars=400, max_masks=3) for text in (typed, PLAIN)]
    assert queries[0] == queries[1]


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("<@123456789012345678> says it is [MASK]", "someone says it is [MASK]"),
        ("<@!123> says it is [MASK]", "someone says it is [MASK]"),
        ("<@&123> says it is [MASK]", "everyone says it is [MASK]"),
        ("@everyone says it is [MASK]", "everyone says it is [MASK]"),
        ("ask in <#123>, it is [MASK]", "ask in the channel, it is [MASK]"),
        ("since <t:1618953630:R> it is [MASK]", "since 2021-04-20 it is [MASK]"),
        ("since <t:1618953630> it is [MASK]", "since 2021-04-20 it is [MASK]"),
        ("use </fill:816437322781949972>, it is [MASK]", "use /fill, it is [MASK]"),
        ("It’s “very” [MASK]", 'It\'s "very" [MASK]'),
        ("It`s [MASK]", "It's [MASK]"),
        ("Nike — the brand – is [MASK]", "Nike - the brand - is [MASK]"),
        ("2010–2020 was [MASK]", "2010-2020 was [MASK]"),
        ("wait… it is [MASK]", "wait... it is [MASK]"),
        ("5 * 3 * 2 is [MASK]", "5 * 3 * 2 is [MASK]"),
        ("a_b_c is [MASK]", "a_b_c is [MASK]"),
        ("snake_case is [MASK]", "snake_case is [MASK]"),
        ("1 < 2 and 3 > 2 is [MASK]", "1 < 2 and 3 > 2 is [MASK]"),
        ("~20 % is [MASK]", "~20 % is [MASK]"),
        ("Nike® Air™ is [MASK]", "Nike® Air™ is [MASK]"),
        ("___ and [MASK]", "___ and [MASK]"),
        ("___ shoes are ___", "[MASK] shoes are [MASK]"),
        ("Nike … shoes are great", "Nike [MASK] shoes are great"),
        ("Let me check… what [MASK]", "Let me check... what [MASK]"),
        ("no blank here", "no blank here"),
        ("a [link] is [MASK]", "a [link] is [MASK]"),
        ("1. FC Köln is [MASK]", "1. FC Köln is [MASK]"),
    ],
)
def test_what_readers_see_is_kept(typed: str, plain: str) -> None:
    assert plain_sentence(typed) == plain


@given(st.text(max_size=80) | st.text(alphabet="*_~|`<>[]()#\\.…-:@!1aMASK \n", max_size=40))
def test_a_plain_sentence_stays_as_it_is(text: str) -> None:
    plain = plain_sentence(text)
    assert plain_sentence(plain) == plain


def test_a_forgotten_blank_is_guessed_at_the_end() -> None:
    with pytest.raises(Exception, match=r"`!fill Nike shoes are very \[MASK\]!`"):
        parse_query("Nike shoes are very!", max_chars=400, max_masks=3)
