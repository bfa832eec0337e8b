"""Explanations of any word."""

from fuzz.hostile import shares, words
from fuzz.targets import target
from fuzz.text_targets import NOON, check, runs, shown_predictions
from hypothesis import strategies as st
from support.discord_reader import read

from bot.answering.vote_adjustment import WordVotes
from bot.features.why import Reasons, why_embed
from bot.subprocesses.word_ranks import MaskRanks, VersionRanks, WordRank
from storage.votes.consensus import QueryVote
from storage.votes.standing import standing_votes

places = st.none() | st.builds(
    WordRank,
    word=words,
    rank=st.integers(1, 30_000),
    score=shares,
    learnt=st.sampled_from((None, "wanted", "unwanted")),
    held_out=st.booleans(),
    wanted_elsewhere=st.integers(0, 99),
    unwanted_elsewhere=st.integers(0, 99),
)


@st.composite
def looked(draw: st.DrawFn) -> tuple[str, str, Reasons]:
    """A query, a word of it, and all that could be known of both."""
    text, prediction = draw(shown_predictions())
    word = draw(words)
    kind = st.sampled_from(("base", "starter", "domain", "night"))

    def look(version: str) -> VersionRanks:
        masks = tuple(MaskRanks((), (draw(places),)) for _ in prediction.masks)
        return VersionRanks(version, draw(kind), "v0001", draw(st.sampled_from((None, 3))), masks)

    rankings = [look(f"v{number:04}") for number in range(7, 7 - draw(st.integers(1, 5)), -1)]
    vote = st.builds(
        QueryVote,
        prediction_id=st.integers(1, 2),
        mask_index=st.integers(0, len(prediction.masks) - 1),
        word=st.sampled_from((word, word.swapcase(), "good")),
        voter_id=st.integers(1, 4),
        via=st.sampled_from(("reaction", "menu", "suggestion")),
        value=st.sampled_from((1, -1)),
        cast_at=st.just(NOON),
        reliability=st.none() | shares,
    )
    votes = draw(st.lists(vote, max_size=6))
    sums = st.builds(WordVotes, st.floats(0, 9), st.floats(0, 9), st.integers(0, 9), is_judged=st.booleans())
    word_votes = {(one.mask_index, one.word): draw(sums) for one in standing_votes(votes)}
    known = {3: draw(runs)} if draw(st.booleans()) else {}
    return text, word, Reasons(rankings, prediction, votes, word_votes, known, draw(st.booleans()))


@target(
    "explanations",
    checked="within Discord's limits, and no markup is active or cut in two",
    inputs=30_000,
    asked=looked(),
)
def explained(asked: tuple[str, str, Reasons]) -> None:
    text, word, reasons = asked
    embed = why_embed(text, word, reasons, asker_id=1, min_voters=2, prefix="!")
    check(embed, also=frozenset({"code"}))
    if "*" not in text + word:
        assert "*" not in read(embed.description or "")[0]
