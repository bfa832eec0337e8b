"""How Discord reads a text, and what it takes at most: written from its documentation, not from the bot.

The reader is generous: where Discord opens a link, a list or a mention only sometimes, it always does.
"""

import re
from collections.abc import Iterator
from typing import Any

import discord

MAX_CONTENT, MAX_EMBED = 2000, 6000  # code points, as its API counts them
_INSIDE = r"(?:\\.|[^\\])+?"
RULES = [
    (kind, re.compile(pattern, re.DOTALL))
    for kind, pattern in (
        ("code block", r"```.+?```"),
        ("code", r"(`+)(?!`).+?(?<!`)\1(?!`)"),
        ("mention", r"<(?:@[!&]?|#)\d+>|<id:\w+>|</[^:>]+:\d+>|@everyone|@here"),
        ("emoji", r"<a?:\w{2,32}:\d+>"),
        ("time", r"<t:-?\d+(?::\w)?>"),
        ("link", r"\[(?:\\.|[^\\\]])*\]\([^)]+\)|<?[A-Za-z][A-Za-z0-9+.-]*://[^\s<]+"),
        ("bold", rf"\*\*({_INSIDE})\*\*(?!\*)"),
        ("underline", rf"__({_INSIDE})__(?!_)"),
        ("strike", rf"~~({_INSIDE})~~"),
        ("spoiler", rf"\|\|({_INSIDE})\|\|"),
        ("italics", rf"\*(?=\S)({_INSIDE})(?<!\s)\*(?!\*)|_({_INSIDE})_(?!\w)"),
    )
]
AT_LINE_START = [
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("header", r"[ ]*#{1,3}[ \t]+\S"),
        ("small", r"[ ]*-#[ \t]"),
        ("quote", r"[ ]*>(?:>>)?[ \t]"),
        ("list", r"[ ]*(?:[*+-]|\d+\.)[ \t]+\S"),
    )
]
ESCAPED = re.compile(r"\\([^0-9A-Za-z\s])", re.DOTALL)


def read(text: str) -> tuple[str, list[str]]:
    """What people see of a text, and the kinds of markup, mentions and links in it."""
    shown, kinds, at = "", [], 0
    while at < len(text):
        if at == 0 or text[at - 1] == "\n":
            kinds += [kind for kind, rule in AT_LINE_START if rule.match(text, at)]
        if escaped := ESCAPED.match(text, at):
            shown, at = shown + escaped[1], escaped.end()
            continue
        for kind, rule in RULES:
            if found := rule.match(text, at):
                inside, more = (
                    (found[0], []) if kind in OPAQUE else read(next(filter(None, found.groups()), ""))
                )
                shown, at = shown + inside, found.end()
                kinds += [kind, *more]
                break
        else:
            shown, at = shown + text[at], at + 1
    return shown, kinds


OPAQUE = ("code block", "code", "mention", "emoji", "time", "link")


def check_embed(embed: discord.Embed) -> None:
    """Whether Discord takes it."""
    limits = (("title", embed.title, 256), ("description", embed.description, 4096))
    for name, text, at_most in (
        *limits,
        ("footer", embed.footer.text, 2048),
        ("author", embed.author.name, 256),
    ):
        assert text is None or len(text) <= at_most, (name, len(text))
    assert len(embed.fields) <= 25
    for field in embed.fields:
        assert len(str(field.name).strip()) > 0, "a field without a name"
        assert len(str(field.name)) <= 256
        assert len(str(field.value).strip()) > 0, "a field without a value"
        assert len(str(field.value)) <= 1024
    assert len(embed) <= MAX_EMBED


def texts_of(embed: discord.Embed) -> Iterator[str]:
    """Those in which Discord reads markdown; a footer is shown as it is."""
    yield from filter(None, (embed.title, embed.description))
    for field in embed.fields:
        yield from (str(field.name), str(field.value))


def kinds_in(embed: discord.Embed) -> list[str]:
    """The kinds of markup, mentions and links in all of its texts."""
    return [kind for text in texts_of(embed) for kind in read(text)[1]]


def check_components(rows: list[Any]) -> None:
    """Whether Discord takes the components of a message, as they are sent."""
    assert len(rows) <= 5
    ids = [one["custom_id"] for row in rows for one in row["components"]]
    assert len(set(ids)) == len(ids)
    for row in rows:
        assert 1 <= len(row["components"]) <= 5
        for one in row["components"]:
            assert 1 <= len(one["custom_id"]) <= 100
            assert len(one.get("label") or "") <= 80
            if one["type"] == 3:
                _check_menu(one)


def _check_menu(menu: dict[str, Any]) -> None:
    options = menu["options"]
    assert 1 <= len(options) <= 25
    assert 0 <= menu["min_values"] <= menu["max_values"] <= len(options)
    assert len(menu.get("placeholder") or "") <= 150
    assert len({option["value"] for option in options}) == len(options), "values that are alike"
    for option in options:
        assert len(option["label"].strip()) >= 1
        assert len(option["label"]) <= 100
        assert 1 <= len(option["value"]) <= 100
