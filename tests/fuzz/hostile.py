"""What people, files and servers could send to do harm, for hypothesis to build from."""

from typing import Any

from hypothesis import strategies as st

MARKDOWN = (
    *(
        "*",
        "**",
        "***",
        "_",
        "__",
        "~~",
        "||",
        "`",
        "``",
        "```",
        "\n```py\n",
        "\\",
        "\\\\",
        "\\*",
        ">",
        ">>> ",
    ),
    *("\n> ", "\n# ", "\n### ", "\n-# ", "\n- ", "\n* ", "\n1. ", "- ", "* ", "1. ", "# ", "-# ", "> "),
    *(
        "[a](https://b.c)",
        "[a](<b://c>)",
        "](",
        "[",
        "https://x.y",
        "<https://x.y>",
        "discord://-/a",
        "ftp://x",
    ),
)
MENTIONS = (
    *(
        "@everyone",
        "@here",
        "<@1>",
        "<@!12345678901234567>",
        "<@&2>",
        "<#3>",
        "<:a_b:4>",
        "<a:bb:5>",
        "<t:1:R>",
    ),
    *("</fill:6>", "<id:guide>", "<@", "<", ":smile:", "@\u200beveryone"),
)
MASKS = (
    "[MASK]",
    "[mask]",
    "[ MASK ]",
    "[Mask",
    "MASK]",
    "<mask>",
    "[[MASK]]",
    "[MASK][MASK]",
    "[\u200bMASK]",
)
INVISIBLE = (
    *("\0", "\n", "\r", "\t", "\x1b[31m", "\x7f", "\x85", "\u200b", "\u200d", "\u202e", "\u2066", "\ufeff"),
    *(
        "\u2028",
        "\u2029",
        "\xad",
        "\u0301",
        "Z\u0351\u0353",
        "\ud800",
        "\udfff",
        "\ud83d",
        "\ufffe",
        "\U0010ffff",
    ),
)
ORDINARY = (
    "a",
    "Nike shoes are very ",
    " ",
    "Z",
    "ß",
    "Ⅷ",
    "ﬃ",
    "İ",
    "שלום",
    "漢字",
    "👍🏽",
    "👩\u200d👩\u200d👧",
    "9" * 30,
    "e" * 300,
)
PRIVATE = ("a.b+c@d.ef", "+49 (0)151 2345-6789", "1234567890", "=1+1", "{n}", "{0.__class__}", "%s", "'; --")
FRAGMENTS = (*ORDINARY, *MARKDOWN, *MENTIONS, *MASKS, *INVISIBLE, *PRIVATE)
BOUNDARIES = (-1, 0, 1, 25, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30)
assert len(FRAGMENTS) < 200, "a byte stands for one, or for any character"


def spelled(recipe: bytes) -> str:
    """A text from bytes, which hypothesis draws ten times as fast as a list of texts."""
    parts, last = [], 0
    for byte in recipe:
        is_named = byte < len(FRAGMENTS)
        parts.append(FRAGMENTS[byte] if is_named else chr((byte * 7919 + last * 104_729) % 0x110000))
        last = last * 31 + byte
    return "".join(parts)


texts = st.binary(max_size=12).map(spelled)
long_texts = st.builds(lambda text, times: text * times, texts, st.sampled_from((1, 1, 1, 1, 7, 30)))
words = st.binary(min_size=1, max_size=3).map(lambda recipe: spelled(recipe)[:40]).filter(str.strip)
shares = st.floats(0.0, 1.0)
ids = st.integers(1, 2**63 - 1)

_leaves = (
    st.none()
    | st.booleans()
    | st.sampled_from(BOUNDARIES)
    | st.floats()
    | texts
    | st.sampled_from(("", "1", "x"))
)
json_values: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
