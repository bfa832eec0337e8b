"""Statistics of any votes."""

from fuzz.hostile import ids, long_texts, words
from fuzz.targets import target
from fuzz.text_targets import check
from hypothesis import strategies as st
from support.discord_reader import kinds_in

from bot.features.stats import TeamStats, stats_embed
from storage.votes.approval import Totals
from storage.votes.stats import ContestedWord, TopVoter


@target(
    "statistics",
    checked="within Discord's limits, and no mention is active except those of the people who helped",
    inputs=30_000,
    contested=st.lists(
        st.tuples(long_texts, st.integers(0, 6), words, st.integers(0, 10**6), st.integers(0, 10**6)),
        max_size=5,
    ),
    helpers=st.lists(st.builds(TopVoter, ids, st.integers(1, 10**6), st.integers(0, 10**6)), max_size=5),
)
def counted(contested: list[tuple[str, int, str, int, int]], helpers: list[TopVoter]) -> None:
    disputed = [
        ContestedWord(f"a {query} [MASK] {query}", mask, word, up, down)
        for query, mask, word, up, down in contested
    ]
    embed = stats_embed(TeamStats(Totals(9, 5, 3), (), (), disputed, helpers))
    check(embed, also=frozenset({"mention"}))
    assert kinds_in(embed).count("mention") <= len(helpers)
