"""Lists of any rated words."""

from fuzz.hostile import ids, words
from fuzz.targets import target
from fuzz.text_targets import NOON, check
from hypothesis import strategies as st

from bot.features.words import Item, RatedWord, words_embed
from storage.votes.consensus import StandingVote

votes = st.builds(
    StandingVote,
    query_hash=st.just("a"),
    mask_index=st.integers(0, 4),
    word=words,
    voter_id=st.sampled_from((1, 2, 3)) | ids,
    value=st.sampled_from((1, -1)),
    cast_at=st.just(NOON),
    weight=st.just(1.0),
)
rated = st.builds(
    RatedWord,
    up=st.floats(0, 99),
    down=st.floats(0, 99),
    voters=st.integers(0, 99),
    is_judged=st.booleans(),
    votes=st.lists(votes, min_size=1, max_size=4).map(tuple),
)
items = st.tuples(st.sampled_from("abc"), st.integers(0, 2), words)


@target(
    "rated words",
    checked="within Discord's limits, and no markup or mention is active",
    inputs=20_000,
    found=st.dictionaries(items, rated, max_size=40),
    is_out=st.booleans(),
)
def listed(found: dict[Item, RatedWord], is_out: bool) -> None:
    check(words_embed(found, person_id=1, min_voters=2, is_out=is_out), also=frozenset({"time", "code"}))
