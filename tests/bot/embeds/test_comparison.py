"""What `!compare` shows."""

import discord

from bot.embeds.comparison import compare_embed


def field(embed: discord.Embed, number: int) -> str:
    return str(embed.fields[number].value)


NAMES = ("v0002", "v0001")


def compared(now: str, before: str | None) -> discord.Embed:
    rows = [[(word, 0.1) for word in words.split()] if words is not None else None for words in (now, before)]
    assert rows[0] is not None
    return compare_embed([rows[0]], None if rows[1] is None else [rows[1]], names=NAMES)


def test_words_are_marked_by_where_they_came_from() -> None:
    embed = compared("soft great cheap good slow", "great cheap heavy good slow")
    assert embed.title == "v0002 and v0001"
    assert embed.description == "Best word: great → soft. 1 new, 0 up, 2 down."
    assert [one.name for one in embed.fields] == ["v0002 (answers now)", "v0001"]
    assert field(embed, 0).split("\n") == [
        "✚ **soft** · 10%",
        "▼ great · 10%",
        "▼ cheap · 10%",
        "good · 10%",
        "slow · 10%",
    ]
    assert field(embed, 1).split("\n")[2] == "✖ heavy · 10%"


def test_a_word_that_rose_is_marked() -> None:
    embed = compared("great soft cheap", "great cheap soft")
    assert embed.description == "Best word: great, as before. 0 new, 1 up, 1 down."
    assert "▲ soft" in field(embed, 0)


def test_the_same_answer_is_said_to_be() -> None:
    assert compared("great cheap", "great cheap").description == "The same words in the same order."


def test_without_a_version_before_the_one_that_serves_is_shown() -> None:
    embed = compared("great cheap", None)
    assert embed.title == "Model v0002"
    assert embed.description == "There is no earlier version to compare with: this is what v0002 says."
    assert len(embed.fields) == 1


def test_several_blanks_are_compared_side_by_side() -> None:
    words = [[("great", 0.2)], [("cheap", 0.1)]]
    embed = compare_embed(words, words[::-1], names=NAMES)
    assert str(embed.description).split("\n")[1].startswith("Blank 2: Best word: great → cheap.")
    assert embed.fields[3].name == "v0002 (answers now) · blank 2"
