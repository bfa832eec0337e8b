"""What `!why` says of what is known."""

import dataclasses
from typing import Any

import discord
import pytest
from support.run_rows import NOON, promoted_run

from bot.answering.vote_adjustment import ShownCandidate, ShownPrediction, VoteRules, weigh_votes
from bot.features.why import Reasons, why_embed
from bot.subprocesses.word_ranks import MaskRanks, VersionRanks, WordRank
from storage.votes.consensus import QueryVote

TEXT = "Nike shoes are very [MASK]."
ANN, BOB, CLEO = 1, 2, 3
RUN = promoted_run(id=12)


def look(version: str, rank: int | None, score: float = 0.1, masks: int = 1, **columns: Any) -> VersionRanks:
    """A version, with the place of the word."""
    told = {
        name: columns.pop(name, default)
        for name, default in (
            ("learnt", None),
            ("held_out", False),
            ("wanted_elsewhere", 0),
            ("unwanted_elsewhere", 0),
        )
    }
    place = None if rank is None else WordRank("cheap", rank, score, **told)
    kind = columns.pop("kind", "base")
    return VersionRanks(version, kind, masks=(MaskRanks((), (place,)),) * masks, **columns)


def vote(voter_id: int, value: int, word: str = "cheap", mask: int = 0) -> QueryVote:
    return QueryVote(1, mask, word, voter_id, "menu", 1 if value > 0 else -1, NOON, None)


def said(
    *votes: QueryVote,
    rankings: tuple[VersionRanks, ...] = (look("v0001", 2, 0.11),),
    words: tuple[str, ...] = ("great", "cheap"),
    text: str = TEXT,
    word: str = "cheap",
    **columns: Any,
) -> discord.Embed:
    candidates = tuple(ShownCandidate(one, 0.1, 0.25) for one in words)
    reasons = Reasons(
        rankings=rankings,
        shown=ShownPrediction((candidates,) * text.count("[MASK]"), "v0001"),
        votes=votes,
        word_votes=weigh_votes(votes, VoteRules(2, 90, NOON)),
        runs={12: RUN},
    )
    reasons = dataclasses.replace(reasons, **columns)
    return why_embed(text, word, reasons, asker_id=ANN, min_voters=2, prefix="!")


def field(embed: discord.Embed, number: int) -> str:
    return str(embed.fields[number].value)


NOW, VOTES, VERSIONS = 0, 1, 2


def test_the_word_is_shown_in_its_sentence() -> None:
    embed = said()
    assert embed.title == "Why “cheap”?"
    assert embed.description == "Nike shoes are very **cheap**."
    assert [one.name for one in embed.fields] == ["Now", "Votes on this sentence", "Model versions"]


def test_what_was_typed_does_not_come_alive() -> None:
    embed = said(word="**@everyone**", text="<@1> `is` [MASK]")
    assert "@everyone" not in str(embed.title).replace("\\@everyone", "")
    assert "<@1>" not in str(embed.description)


def test_without_votes_the_place_is_the_models() -> None:
    embed = said()
    assert field(embed, NOW) == "Model v0001 alone: place 2, 11%\nNo votes have changed that."
    assert field(embed, VOTES).startswith("No word in this sentence has been rated yet. Ask it with `!fill`")


def test_votes_on_other_words_are_not_this_words() -> None:
    assert field(said(vote(BOB, 1, "great")), VOTES) == "This word has not been rated in this sentence yet."


def test_one_vote_is_told_and_does_not_count_yet() -> None:
    lines = field(said(vote(ANN, -1)), VOTES).split("\n")
    assert lines == [
        "👍 0 · 👎 1 from 1 person, yours 👎",
        "Weighted by how reliable each voter is: 0.0 for, 1.0 against.",
        "It does not count yet: it needs votes from 2 people.",
    ]


def test_nobody_but_the_asker_is_told_apart() -> None:
    assert field(said(vote(BOB, 1), vote(CLEO, 1)), VOTES).split("\n")[0] == "👍 2 · 👎 0 from 2 people"


def test_two_of_one_mind_count_and_the_place_with_them_is_told() -> None:
    embed = said(vote(ANN, 1), vote(BOB, 1))
    assert field(embed, NOW).endswith("\nWith the votes: place 2, 25%")
    assert field(embed, VOTES).endswith("It counts as a word that fits.")


def test_a_rejected_word_is_said_to_be_left_out() -> None:
    embed = said(vote(ANN, -1), vote(BOB, -1), words=("great", "good"))
    assert field(embed, NOW).endswith("With the votes: left out, since people rejected it")
    assert field(embed, VOTES).endswith("It counts as a word that does not fit.")


def test_a_word_far_down_waits_for_the_next_run() -> None:
    embed = said(vote(ANN, 1), vote(BOB, 1), words=("great",), rankings=(look("v0001", 77, 0.0002),))
    assert field(embed, NOW).split("\n") == [
        "Model v0001 alone: place 77, < 0.1%",
        "Votes take effect at once only on the 20 best words; on others, from the next run.",
    ]


def test_people_who_disagree_are_said_to() -> None:
    assert field(said(vote(ANN, 1), vote(BOB, -1)), VOTES).endswith("It does not count: people disagree.")


def test_a_word_that_the_model_does_not_know_is_told_with_its_votes() -> None:
    embed = said(vote(ANN, 1, "Breathable"), rankings=(look("v0001", None),), word="breathable")
    assert field(embed, NOW).startswith("Model v0001 cannot offer this word")
    assert field(embed, VOTES).startswith("👍 1 · 👎 0 from 1 person, yours 👍")
    assert "cannot offer it" in field(embed, VERSIONS)


def test_personal_data_is_named_as_the_reason() -> None:
    assert "personal data" in field(said(is_private=True), VOTES)


def test_each_blank_is_explained_for_itself() -> None:
    embed = said(vote(ANN, 1, mask=1), text="[MASK] shoes are [MASK].", rankings=(look("v0001", 2, masks=2),))
    assert embed.description == r"\[MASK\] shoes are \[MASK\]."
    assert [one.name for one in embed.fields[:4]] == [
        "Now · blank 1",
        "Votes on this sentence · blank 1",
        "Model versions · blank 1",
        "Now · blank 2",
    ]
    assert field(embed, VOTES) == "This word has not been rated in this sentence yet."
    assert field(embed, VOTES + 3).startswith("👍 1")


NIGHT: dict[str, Any] = {"kind": "night", "parent": "v0001", "run_id": 12}


@pytest.mark.parametrize(
    ("night", "cause"),
    [
        (look("v0002", 5, learnt="unwanted", **NIGHT), "learnt here that it does not fit"),
        (look("v0002", 1, learnt="wanted", **NIGHT), "learnt here that it fits"),
        (look("v0002", 5, learnt="wanted", held_out=True, **NIGHT), "its votes here were held out to test"),
        (
            look("v0002", 5, wanted_elsewhere=1, unwanted_elsewhere=3, **NIGHT),
            "moved by votes on other sentences: it fits in 1, does not in 3",
        ),
        (look("v0002", 5, **NIGHT), "moved by votes on other words"),
        (look("v0002", 2, 0.111, **NIGHT), "not moved"),
        (look("v0002", 2, **NIGHT | {"parent": "v0000"}), "not judged here at that time"),
    ],
)
def test_a_version_says_what_moved_the_word(night: VersionRanks, cause: str) -> None:
    first, last = field(said(rankings=(night, look("v0001", 2, 0.11))), VERSIONS).split("\n")
    assert first.startswith("**v0002 (answers now)** · place ")
    assert f"run 12 (nightly, <t:{int(NOON.timestamp())}:d>)" in first
    assert cause in first
    assert last == "**v0001** · place 2, 11% · the base model, before any votes"


def test_a_damaged_version_is_named() -> None:
    assert field(said(rankings=(look("v0002", 2), VersionRanks("v0001"))), VERSIONS).endswith(
        "**v0001** · damaged"
    )


def test_all_of_it_fits_into_an_embed() -> None:
    rankings = tuple(look(f"v{n:04d}", 12345, learnt="unwanted", masks=5, **NIGHT) for n in range(5))
    text = f"{'x' * 1400} " + "[MASK] " * 5
    embed = said(vote(ANN, 1), text=text, rankings=rankings, word="w" * 60)
    assert len(embed) <= 6000
    assert all(len(str(one.value)) <= 1024 for one in embed.fields)
